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
	d    *Decider
	last uint64
}

func newOrders(c *Coder, size int) *orders {
	return &orders{d: NewDecider(c, 64*int64(size))}
}

func (n *orders) code(b []byte) {
	for i, c := range b {
		x := Contexts{order(n.last, 1), order(n.last, 2), order(n.last, 3), uint32(n.last) & 0xf0f0f0}
		b[i] = n.d.Byte(c, &x, int(n.last&0xff))
		n.last = n.last<<8 | uint64(b[i])
	}
}

// order hashes the last n of the eight bytes before.
func order(last uint64, n int) uint32 { return uint32(last << (64 - 8*n) * 0x9e3779b97f4a7c15 >> 32) }

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
