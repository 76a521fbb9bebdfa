package delta

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// source is the address space that copies read: the olds that a patch uses, one after another.
type source struct {
	olds   []Old
	starts []int64 // address of each old
	size   int64
	page   []byte // what was read last, so that short copies next to each other read once
	pageAt int64
}

const pageSize = 32 << 10

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

// read fills p from address.
func (s *source) read(p []byte, address int64) error {
	old, offset, err := s.locate(address, int64(len(p)))
	if err != nil {
		return err
	}
	if len(p) >= pageSize {
		return readFull(s.olds[old], p, offset)
	}
	if address < s.pageAt || address+int64(len(p)) > s.pageAt+int64(len(s.page)) {
		if err := s.turn(old, offset); err != nil {
			return err
		}
	}
	copy(p, s.page[address-s.pageAt:])
	return nil
}

// turn reads the page that begins at offset of old.
func (s *source) turn(old int, offset int64) error {
	if s.page == nil {
		s.page = make([]byte, pageSize)
	}
	n := min(pageSize, s.olds[old].Size-offset)
	s.page = s.page[:n]
	s.pageAt = s.starts[old] + offset
	return readFull(s.olds[old], s.page, offset)
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
