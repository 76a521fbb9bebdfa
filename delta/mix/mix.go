// Package mix codes short byte streams by context mixing: the bits of each byte are predicted from the
// bytes before it by several models, whose predictions are mixed by how well they did so far, and
// written by an arithmetic coder, in the manner of Matt Mahoney's lpaq and ZPAQ. All arithmetic is on
// integers: every machine makes the same bytes.
package mix

import (
	"bufio"
	"errors"
	"io"
)

// MaxSize is how many bytes a stream may have.
const MaxSize = 8 << 20

var errLong = errors.New("mix: stream is too long")

// orders codes bytes with nothing but the bytes before as context.
type orders struct {
	m    *model
	last uint64
}

func newOrders(c *Coder, size int) *orders {
	n := &orders{m: newModel(c, 9, 0, min(64*size, 2<<20), [sets]int{256, 256})}
	return n
}

func (n *orders) code(b []byte) {
	for i, c := range b {
		x := &n.m.contexts
		for k, length := range [6]int{0, 1, 2, 3, 4, 6} {
			x[k] = uint32((n.last<<(64-8*length) + uint64(k) + 1) * 0x9e3779b97f4a7c15 >> 32)
		}
		for k, part := range [3]uint64{n.last & 0xff00, n.last & 0xffff00, n.last & 0xff00ff} {
			x[6+k] = uint32((part<<8 + uint64(k) + 7) * 0x9e3779b97f4a7c15 >> 32)
		}
		n.m.chosen[0] = int(n.last & 0xff)
		n.m.refining[0] = uint32(n.last & 3)
		n.m.refining[1] = uint32((n.last & 0xffff) * 0x9e3779b1 >> 8)
		b[i] = n.m.code(c)
		n.last = n.last<<8 | uint64(b[i])
	}
}

// Encode returns plain coded. It is at most MaxSize bytes.
func Encode(plain []byte) ([]byte, error) {
	if len(plain) > MaxSize {
		return nil, errLong
	}
	c := NewEncoder()
	newOrders(c, len(plain)).code(append([]byte(nil), plain...))
	return c.Bytes(), nil
}

// reader decodes a stream.
type reader struct {
	r    *bufio.Reader
	c    *Coder
	n    *orders
	left int
}

// NewReader returns a reader of the size bytes that are coded in r.
func NewReader(r io.Reader, size int) (io.Reader, error) {
	if size < 0 || size > MaxSize {
		return nil, errLong
	}
	return &reader{r: bufio.NewReader(r), left: size}, nil
}

// Read decodes the next bytes. A stream that ends early is io.ErrUnexpectedEOF.
func (d *reader) Read(p []byte) (int, error) {
	if d.c == nil {
		d.c = NewDecoder(d.r)
		d.n = newOrders(d.c, d.left)
	}
	if d.c.Err() != nil {
		return 0, d.c.Err()
	}
	if d.left == 0 {
		if err := d.c.End(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	p = p[:min(len(p), d.left, 4096)]
	d.n.code(p)
	d.left -= len(p)
	return len(p), d.c.Err()
}
