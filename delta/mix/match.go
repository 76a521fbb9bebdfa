package mix

import "math/bits"

// forecast foretells the next byte from what followed the same bytes before.
type forecast struct {
	active  bool
	byte    byte // foretold
	length  int  // bytes that agreed, at most 65535
	misses  uint32
	by      [2]uint32 // the estimates in lengths and bytes that the next bit is as foretold
	lengths [16 * 2 * 4]estimate
	bytes   [256 * 8]estimate
	bit     uint32
	live    bool // the bits of this byte so far are as foretold
}

func newForecast() *forecast {
	f := &forecast{}
	for i := range f.lengths {
		f.lengths[i] = half | half>>1
	}
	for i := range f.bytes {
		f.bytes[i] = half | half>>1
	}
	return f
}

// grade puts a length into one of 16 grades.
func grade(n int) int {
	switch {
	case n < 8:
		return n
	case n < 16:
		return 8 + (n-8)/4
	case n < 32:
		return 10 + (n-16)/8
	case n < 400:
		return 12 + n/128
	}
	return 15
}

// ask gives two inputs, for a node of the byte's tree.
func (f *forecast) ask(node uint32) (int32, int32) {
	depth := uint32(bits.Len32(node) - 1)
	whole := uint32(f.byte) | 256
	f.live = f.active && whole>>(8-depth) == node
	if !f.live {
		return 0, 0
	}
	f.bit = whole >> (7 - depth) & 1
	f.by[0] = (uint32(grade(f.length))*2+min(depth, 1))*4 + f.misses&3
	f.by[1] = uint32(f.byte)<<3 | depth
	sign := 2*int32(f.bit) - 1
	return sign * f.lengths[f.by[0]&127].stretched(), sign * f.bytes[f.by[1]&2047].stretched()
}

func (f *forecast) learn(bit uint32) {
	if !f.live {
		return
	}
	hit := 1 ^ bit ^ f.bit
	f.lengths[f.by[0]&127].learn(hit, 255)
	f.bytes[f.by[1]&2047].learn(hit, 255)
}

// see learns the byte that came.
func (f *forecast) see(c byte) {
	if !f.active {
		return
	}
	if c == f.byte {
		f.length = min(f.length+1, 65535)
		f.misses <<= 1
		if f.length&15 == 0 {
			f.misses = 0
		}
	} else {
		f.length = 0
		f.misses = f.misses<<1 | 1
	}
}
