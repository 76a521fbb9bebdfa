package apply

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

// restorer makes original blobs out of patches. It keeps the old blobs of one patch, expanded, for the next.
type restorer struct {
	mirror BlobStore
	dir    string
	bases  map[digest.Digest]string // which repository has an old blob

	expanded map[digest.Digest]*os.File
}

// open starts restoring a blob. The reader gives exactly its bytes or an error. It must be closed before the next
// patch is read.
func (s *restorer) open(ctx context.Context, b bundle.Blob, patch io.Reader) (io.ReadCloser, error) {
	olds, err := s.olds(ctx, b.Bases)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	r := &restoring{pipe: pr, cancel: cancel, done: make(chan struct{}), want: b, sum: digest.SHA256.Digester()}
	go func() {
		defer close(r.done)
		// A patch writes a few bytes at a time; each through a pipe would be two switches of goroutines.
		w := bufio.NewWriterSize(pw, 128<<10)
		err := delta.Apply(ctx, w, patch, olds, delta.Limits{Size: b.Size, TempDir: s.dir})
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			err = fmt.Errorf("restore blob %.19s: %w", b.Digest, err)
		}
		_ = pw.CloseWithError(err) // never fails
	}()
	return r, nil
}

// olds returns the expanded old blobs, and forgets those that this patch does not address.
func (s *restorer) olds(ctx context.Context, bases []bundle.BaseBlob) ([]delta.Old, error) {
	wanted := map[digest.Digest]bool{}
	for _, b := range bases {
		wanted[b.Digest] = true
	}
	for d, f := range s.expanded {
		if !wanted[d] {
			delete(s.expanded, d)
			if err := closeTemp(f); err != nil {
				return nil, err
			}
		}
	}
	var olds []delta.Old
	for _, b := range bases {
		f, err := s.old(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("read the base blob %.19s: %w", b.Digest, err)
		}
		olds = append(olds, delta.Old{ReaderAt: f, Size: b.PlainSize})
	}
	return olds, nil
}

func (s *restorer) old(ctx context.Context, b bundle.BaseBlob) (*os.File, error) {
	if f := s.expanded[b.Digest]; f != nil {
		return f, nil
	}
	f, err := os.CreateTemp(s.dir, "base-*")
	if err != nil {
		return nil, stateError(err)
	}
	if err := s.expand(ctx, f, b); err != nil {
		return nil, errors.Join(err, closeTemp(f))
	}
	if s.expanded == nil {
		s.expanded = map[digest.Digest]*os.File{}
	}
	s.expanded[b.Digest] = f
	return f, nil
}

// expand writes the plain bytes of an old blob, which the mirror verifies as they come.
func (s *restorer) expand(ctx context.Context, f *os.File, b bundle.BaseBlob) error {
	blob, err := s.mirror.OpenBlob(ctx, s.bases[b.Digest], b.Digest)
	if err != nil {
		return err
	}
	n, err := delta.Expand(ctx, f, blob, b.PlainSize)
	if err == nil {
		// Bytes may follow the compressed stream; the digest is over them, too.
		_, err = io.Copy(io.Discard, blob)
	}
	if err = errors.Join(err, blob.Close()); err != nil {
		return err
	}
	if n != b.PlainSize {
		return fmt.Errorf("it expands to %d bytes, not %d", n, b.PlainSize)
	}
	return nil
}

func (s *restorer) close() {
	for d, f := range s.expanded {
		delete(s.expanded, d)
		_ = closeTemp(f) // the whole folder is removed after the run
	}
}

func closeTemp(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }

// restoring is a blob that is being made. The last bytes are held back until the digest is known to be right.
type restoring struct {
	pipe   *io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
	want   bundle.Blob
	sum    digest.Digester
	n      int64
}

func (r *restoring) Read(p []byte) (int, error) {
	n, err := r.pipe.Read(p)
	r.n += int64(n)
	r.sum.Hash().Write(p[:n])
	switch {
	case r.n > r.want.Size:
		return 0, fmt.Errorf("restore blob %.19s: more than %d bytes came out", r.want.Digest, r.want.Size)
	case r.n == r.want.Size && r.sum.Digest() != r.want.Digest:
		return 0, fmt.Errorf("restore blob %.19s: the bytes that came out have the digest %.19s", r.want.Digest, r.sum.Digest())
	case errors.Is(err, io.EOF) && r.n < r.want.Size:
		return 0, fmt.Errorf("restore blob %.19s: %d bytes came out, not %d", r.want.Digest, r.n, r.want.Size)
	}
	return n, err
}

// Close stops the making and waits for its end, so that the patch is not read any more.
func (r *restoring) Close() error {
	r.cancel()
	err := r.pipe.Close()
	<-r.done
	return err
}

// progressReader tells how much was read.
type progressReader struct {
	io.Reader
	tell func(n int64)
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.tell(int64(n))
	return n, err
}

// cancelReader ends with its context.
type cancelReader struct {
	ctx context.Context // of the copy that reads it
	r   io.Reader
}

func (c *cancelReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
