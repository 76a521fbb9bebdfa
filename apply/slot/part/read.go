package part

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Digest reads the first bytes of a place, as many as size, from the medium itself.
func Digest(ctx context.Context, h host.Host, path string, size int64) (digest.Digest, error) {
	f, direct, err := open(h.Path(path), os.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if !direct {
		dropCache(f)
		defer dropCache(f) // nor need it stay in memory
	}
	d, err := (&reading{f, size, sector(f), func(int64) {}}).digest(ctx)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return d, nil
}

// reading is about the first bytes of a place, as many as size.
type reading struct {
	from     io.ReaderAt
	size     int64
	sector   int           // what is read ends at a multiple of so many bytes
	advanced func(n int64) // is told of n more bytes
}

// digest is their SHA-256 digest. That there are fewer is io.ErrUnexpectedEOF.
func (r *reading) digest(ctx context.Context) (digest.Digest, error) {
	a := readAhead(r.from, r.size, r.sector)
	defer a.close()
	sum := digest.SHA256.Digester()
	for left := r.size; left > 0; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		b, err := a.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if int64(len(b)) < min(left, chunk) {
			return "", io.ErrUnexpectedEOF
		}
		b = b[:min(left, chunk)]
		sum.Hash().Write(b)
		left -= int64(len(b))
		r.advanced(int64(len(b)))
	}
	return sum.Digest(), nil
}

// Base is a part of the slot that runs, as the base of patches.
type Base struct {
	*io.SectionReader
	f *os.File
}

// OpenBase opens the first bytes of a place, as many as size, for reading anywhere in them. They stay what they are only as
// long as nothing writes them: whoever relies on them compares their digest.
func OpenBase(h host.Host, path string, size int64) (*Base, error) {
	f, err := os.Open(h.Path(path))
	if err != nil {
		return nil, err
	}
	return &Base{io.NewSectionReader(f, 0, size), f}, nil
}

// Close ends the reading.
func (b *Base) Close() error { return b.f.Close() }
