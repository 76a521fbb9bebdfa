package delta

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
)

// source is the address space that copies read: the olds that a patch uses, one after another.
type source struct {
	olds   []Old
	starts []int64 // address of each old
	size   int64
	lock   sync.Mutex
	pages  []page // read last, by their numbers' low bits, so that short reads near each other read once
}

// page is a piece of an old, from a multiple of its size on.
type page struct {
	old, at int64
	b       []byte
}

const (
	pageSize = 16 << 10
	pages    = 64
)

func newSource(olds []Old) *source {
	s := &source{olds: olds}
	for _, o := range olds {
		s.starts = append(s.starts, s.size)
		s.size += o.Size
	}
	return s
}

// locate returns the old that holds [address, address+n), and the offset in it.
func (s *source) locate(address, n int64) (old int, offset int64, err error) {
	for i := range s.olds {
		offset = address - s.starts[i]
		if offset >= 0 && offset < s.olds[i].Size {
			if n > s.olds[i].Size-offset {
				break
			}
			return i, offset, nil
		}
	}
	return 0, 0, malformed("copy of %d bytes at %d, outside of every base blob", n, address)
}

// read fills p from address. Several goroutines may read at once.
func (s *source) read(p []byte, address int64) error {
	old, offset, err := s.locate(address, int64(len(p)))
	if err != nil {
		return err
	}
	if len(p) >= pageSize/4 { // not worth a page
		return readFull(s.olds[old], p, offset)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	for len(p) > 0 {
		b, err := s.page(old, offset)
		if err != nil {
			return err
		}
		n := copy(p, b)
		p, offset = p[n:], offset+int64(n)
	}
	return nil
}

// page returns the bytes of an old from an offset to the end of its page. Its caller has the lock.
func (s *source) page(old int, offset int64) ([]byte, error) {
	if s.pages == nil {
		s.pages = make([]page, pages)
	}
	at := offset &^ (pageSize - 1)
	p := &s.pages[(offset/pageSize+int64(old)*7)%pages]
	if len(p.b) == 0 || p.old != int64(old) || p.at != at {
		if p.b == nil {
			p.b = make([]byte, pageSize)
		}
		b := p.b[:min(pageSize, s.olds[old].Size-at)]
		p.b = p.b[:0] // holds nothing if it cannot be read
		if err := readFull(s.olds[old], b, at); err != nil {
			return nil, err
		}
		p.old, p.at, p.b = int64(old), at, b
	}
	return p.b[offset-at:], nil
}

func readFull(o Old, p []byte, offset int64) error {
	n, err := o.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read base blob: %w", err)
}

// digestOld returns the SHA-256 of an old.
func digestOld(ctx context.Context, o Old) (sum [sha256.Size]byte, err error) {
	if o.digest != nil {
		return [sha256.Size]byte(o.digest), nil
	}
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for offset := int64(0); offset < o.Size; {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		n := min(int64(len(buf)), o.Size-offset)
		if err := readFull(o, buf[:n], offset); err != nil {
			return sum, err
		}
		h.Write(buf[:n])
		offset += n
	}
	h.Sum(sum[:0])
	return sum, nil
}
