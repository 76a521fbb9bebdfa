package bundle

import (
	"bufio"
	"fmt"
	"io"
)

// source reads a bundle front to back and knows where it is. It tells a bundle that is too short (an Error) from a
// medium that cannot be read (the medium's own error).
type source struct {
	r    *bufio.Reader
	off  int64
	size int64 // of the whole, once it is known; 0 before
}

func newSource(r io.Reader) *source { return &source{r: bufio.NewReaderSize(r, 64<<10)} }

// read is like io.Reader's Read, but the end of the file is an error, for it is called only where bytes must follow.
func (s *source) read(p []byte, what string) (int, error) {
	n, err := s.r.Read(p)
	s.off += int64(n)
	if n > 0 {
		return n, nil
	}
	if err == io.EOF {
		return 0, s.truncated(what)
	}
	return 0, err
}

func (s *source) truncated(what string) error {
	if s.off == 0 {
		return errorf(reasonTruncated, "the bundle is empty")
	}
	of := ""
	if s.size > 0 {
		of = fmt.Sprintf(" of %d", s.size)
	}
	return errorf(reasonTruncated, "the bundle ends after %d%s bytes, within %s", s.off, of, what)
}

// full fills p.
func (s *source) full(p []byte, what string) error {
	for len(p) > 0 {
		n, err := s.read(p, what)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// zeros reads n bytes that must be zero.
func (s *source) zeros(n int64, what string) error {
	var b [trailer]byte
	if err := s.full(b[:n], what); err != nil {
		return err
	}
	if b != zeroes {
		return formatf("the padding of %s is not zero, before byte %d", what, s.off)
	}
	return nil
}

// atEnd checks that nothing follows.
func (s *source) atEnd() error {
	_, err := s.r.ReadByte()
	switch err {
	case io.EOF:
		return nil
	case nil:
		return formatf("bytes follow the end of the bundle, at byte %d", s.off)
	default:
		return err
	}
}
