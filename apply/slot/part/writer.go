package part

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Written tells what became of an image's bytes.
type Written struct {
	Bytes   int64 // were written
	Skipped int64 // were there already
	Zeroed  int64 // are zeros that the device wrote by itself
}

// Writer writes the image of one part, front to back. It ends with Finish or Close.
type Writer struct {
	// Advanced, if set, is told by Finish of n more bytes that were read back.
	Advanced func(n int64)

	place *place
	want  digest.Digest
	size  int64 // bytes of the image
	n     int64 // bytes that have come
	to    medium
}

// medium is what an image is written to.
type medium interface {
	io.Writer
	// finish brings everything to the medium and reads it back; the bytes there are those of the digest, or it is an error.
	finish(ctx context.Context, want digest.Digest, advanced func(n int64)) (Written, error)
	// close gives up what is not finished.
	close() error
}

// Open opens the place of a part for an image of so many bytes with that digest. Its name must mean what it meant to Fit.
func (t *Target) Open(ctx context.Context, disk durable.Disk, part string, size int64, want digest.Digest) (*Writer, error) {
	p := t.places[part]
	if p == nil || size <= 0 || want.Validate() != nil {
		return nil, fmt.Errorf("part %s of %d bytes was not looked at before", part, size)
	}
	w := &Writer{place: p, want: want, size: size}
	var err error
	if p.device {
		w.to, err = t.openDevice(disk, p, size)
	} else {
		w.to, err = t.openFile(ctx, disk, p, size, want)
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Write takes the next bytes of the image.
func (w *Writer) Write(p []byte) (int, error) {
	if w.n += int64(len(p)); w.n > w.size {
		return 0, fmt.Errorf("part %s is longer than its %d bytes", w.place.part, w.size)
	}
	n, err := w.to.Write(p)
	if err != nil {
		return n, w.place.plain(err)
	}
	return n, nil
}

// Finish makes what was written durable and reads it back from the medium.
func (w *Writer) Finish(ctx context.Context) (Written, error) {
	if w.n != w.size {
		return Written{}, fmt.Errorf("part %s ends after %d of %d bytes", w.place.part, w.n, w.size)
	}
	if w.Advanced == nil {
		w.Advanced = func(int64) {}
	}
	done, err := w.to.finish(ctx, w.want, w.Advanced)
	if err != nil {
		return done, w.place.plain(err)
	}
	return done, nil
}

// Close gives up what is not finished. After Finish it does nothing.
func (w *Writer) Close() error { return w.to.close() }
