// Package gunzip reads gzip files as GNU gzip and pigz do: members that follow one another are one file, and what
// follows the last of them is padding. Go's reader takes padding for a damaged member.
package gunzip

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// ErrGarbage says that something other than zeros follows the end. It comes in place of io.EOF: all that was read is
// whole.
var ErrGarbage = errors.New("something follows its end")

// Reader gives the plain bytes of a gzip file.
type Reader struct {
	in  *bufio.Reader
	zr  *gzip.Reader
	err error // what every further Read returns
}

// NewReader reads the first header. It reads r to its end and no more than that.
func NewReader(r io.Reader) (*Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10) // a bufio.Reader, so that gzip takes no byte too many
	zr, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("reading a gzip header: %w", err)
	}
	zr.Multistream(false)
	return &Reader{in: in, zr: zr}, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for r.err == nil {
		n, err := r.zr.Read(p)
		if errors.Is(err, io.EOF) {
			err = r.next()
		}
		r.err = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

// next goes on to the next member, if there is one.
func (r *Reader) next() error {
	head, err := r.in.Peek(2)
	if len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		if err := r.zr.Reset(r.in); err != nil {
			return fmt.Errorf("reading the header of a further gzip member: %w", err)
		}
		r.zr.Multistream(false)
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return r.padding()
}

func (r *Reader) padding() error {
	end := io.EOF
	for {
		b, err := r.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return end
		case err != nil:
			return err
		case b != 0:
			end = ErrGarbage
		}
	}
}
