package replay

import (
	"encoding/binary"
	"errors"
	"io"
)

// refill brings at least 48 bits into bits, or all that are left.
func (f *Inflater) refill() error {
	if f.nbits >= 48 {
		return nil
	}
	if len(f.buf)-f.pos < 8 {
		return f.refillSlow()
	}
	f.bits |= binary.LittleEndian.Uint64(f.buf[f.pos:]) << uint(f.nbits)
	f.pos += (63 - f.nbits) >> 3
	f.nbits |= 56
	return nil
}

// refillSlow is refill where the buffer ends, or the input.
func (f *Inflater) refillSlow() error {
	f.giveBack()
	if _, err := f.in.Discard(f.pos); err != nil {
		return err
	}
	f.pos = 0
	if _, err := f.in.Peek(8); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.buf, _ = f.in.Peek(f.in.Buffered())
	if len(f.buf) >= 9 {
		return f.refill()
	}
	for f.nbits < 48 && f.pos < len(f.buf) {
		f.bits |= uint64(f.buf[f.pos]) << uint(f.nbits)
		f.pos++
		f.nbits += 8
	}
	return nil
}

// giveBack returns whole bytes to the buffer.
func (f *Inflater) giveBack() {
	f.pos -= f.nbits >> 3
	f.nbits &= 7
	f.bits &= 1<<uint(f.nbits) - 1
}

// take returns the next n bits, 16 at most.
func (f *Inflater) take(n int) (int, error) {
	if err := f.refill(); err != nil {
		return 0, err
	}
	if f.nbits < n {
		return 0, io.ErrUnexpectedEOF
	}
	v := int(f.bits & (1<<uint(n) - 1))
	f.bits >>= uint(n)
	f.nbits -= n
	return v, nil
}
