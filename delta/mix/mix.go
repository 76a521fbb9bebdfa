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
	return &orders{m: newModel(c, 5, min(64*size, 2<<20))}
}

func (n *orders) code(b []byte) {
	x := &n.m.contexts
	for i, c := range b {
		last := n.last
		for k, length := range [4]int{0, 2, 3, 4} {
			x[k] = uint32((last<<(64-8*length) + uint64(k) + 1) * 0x9e3779b97f4a7c15 >> 32)
		}
		x[4] = uint32((last&0xf0f0f0<<8 + 5) * 0x9e3779b97f4a7c15 >> 32)
		n.m.last, n.m.chosen = byte(last), uint32(last&0xff)
		b[i] = n.m.code(c)
		n.last = last<<8 | uint64(b[i])
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
