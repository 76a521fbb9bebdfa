package mix

import (
	"errors"
	"io"
)

// Coder codes bits by arithmetic: an encoder appends to memory what a decoder reads. The same calls
// in the same order make both, so that a model is written once: a call takes the bit or the bytes to
// encode, and leaves them as decoded.
//
// An encoder leaves out up to three zeros at the end. A decoder that runs out of bytes goes on with
// zeros; if they are more, Err tells.
type Coder struct {
	low, high uint32
	code      uint32
	in        io.ByteReader // nil: this is an encoder
	missing   int           // bytes that the decoder made up
	out       []byte
	err       error
}

// NewEncoder returns a coder that encodes.
func NewEncoder() *Coder { return &Coder{high: ^uint32(0)} }

// NewDecoder returns a coder that decodes what in gives.
func NewDecoder(in io.ByteReader) *Coder {
	c := &Coder{high: ^uint32(0), in: in}
	for range 4 {
		c.shift()
	}
	return c
}

// Bytes ends encoding and returns what it made, of four bytes at the end as few as do.
func (c *Coder) Bytes() []byte {
	for keep := 24; keep >= 0; keep -= 8 {
		if v := c.high >> keep << keep; v >= c.low { // the fewest bytes between low and high
			for shift := 24; shift >= keep; shift -= 8 {
				c.out = append(c.out, byte(v>>shift))
			}
			break
		}
	}
	return c.out
}

// Len returns how many bytes have been encoded.
func (c *Coder) Len() int { return len(c.out) }

// Err returns the first error of a decoder's input; an early end is io.ErrUnexpectedEOF.
func (c *Coder) Err() error { return c.err }

// End tells whether a decoder's input ends where its bits do.
func (c *Coder) End() error {
	if c.err != nil {
		return c.err
	}
	if _, err := c.in.ReadByte(); err == nil {
		return errors.New("mix: stream goes on after its end")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (c *Coder) shift() {
	b, err := c.in.ReadByte()
	if errors.Is(err, io.EOF) {
		if c.missing++; c.missing > 3 {
			err = io.ErrUnexpectedEOF
		} else {
			err = nil
		}
	}
	if err != nil && c.err == nil {
		c.err = err
	}
	c.code = c.code<<8 | uint32(b)
}

// bit codes a bit that is 1 with probability one, of 65536.
func (c *Coder) bit(bit, one uint32) uint32 {
	middle := c.low + uint32(uint64(c.high-c.low)*uint64(one)>>16)
	if c.in != nil {
		bit = 0
		if c.code <= middle {
			bit = 1
		}
	}
	ones := -bit // a branch would be foretold badly: bits that can be foretold take few calls
	c.high = middle&ones | c.high&^ones
	c.low = c.low&ones | (middle+1)&^ones
	for (c.low^c.high)>>24 == 0 {
		if c.in != nil {
			c.shift()
		} else {
			c.out = append(c.out, byte(c.high>>24))
		}
		c.low, c.high = c.low<<8, c.high<<8|0xff
	}
	return bit
}
