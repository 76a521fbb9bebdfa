package delta

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// OldFile is an old blob, expanded into files.
type OldFile struct {
	Old
	plain, tokens *os.File
}

// ExpandOld expands an old blob into a file of dir, at most limit plain bytes, and keeps how it was
// compressed in another one of at most room bytes. Nothing is kept of what finds no room there: making
// blobs out of this one may take longer then. Errors of reason "format" and "truncated" are the blob's.
func ExpandOld(ctx context.Context, blob io.Reader, limit int64, dir string, room int64) (*OldFile, error) {
	plain, err := os.CreateTemp(dir, "sallyport-old-")
	if err != nil {
		return nil, fmt.Errorf("expand base blob: %w", err)
	}
	o := &OldFile{plain: plain}
	if o.tokens, err = os.CreateTemp(dir, "sallyport-tokens-"); err != nil {
		return nil, errors.Join(fmt.Errorf("expand base blob: %w", err), o.Close())
	}
	if err := o.expand(ctx, blob, limit, room); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

func (o *OldFile) expand(ctx context.Context, blob io.Reader, limit, room int64) error {
	t := recompress.NewTokens(o.tokens, max(room, 0))
	sum := sha256.New()
	out := bufio.NewWriterSize(o.plain, 256<<10)
	size, err := recompress.ExpandTokens(ctx, io.MultiWriter(sum, out), blob, limit, t)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	if t.Close() != nil {
		t = nil // a full disk, say: it goes without
	}
	o.Old = Old{ReaderAt: o.plain, Size: size, Tokens: t, digest: sum.Sum(nil)}
	return nil
}

// Known is an old blob that is read where it is, as it is, and whose SHA-256 its caller has found to be sum.
func Known(r io.ReaderAt, size int64, sum [sha256.Size]byte) Old {
	return Old{ReaderAt: r, Size: size, digest: sum[:]}
}

// Close closes the files and removes them.
func (o *OldFile) Close() error {
	var errs []error
	for _, f := range []*os.File{o.plain, o.tokens} {
		if f != nil {
			errs = append(errs, f.Close(), os.Remove(f.Name()))
		}
	}
	return errors.Join(errs...)
}
