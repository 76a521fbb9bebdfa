package mix

import "math/bits"

// forecast foretells the next byte from what followed the same bytes before.
type forecast struct {
	active  bool
	byte    byte // foretold
	length  int  // bytes that agreed, at most 65535
	misses  uint32
	by      [2]*estimate // that the next bit is as foretold
	lengths [64 * 4]estimate
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

// ask adds two inputs, for a node of the byte's tree.
func (f *forecast) ask(node uint32, inputs []int32) {
	depth := bits.Len32(node) - 1
	whole := uint32(f.byte) | 256
	f.live = f.active && whole>>(8-depth) == node
	if !f.live {
		inputs[0], inputs[1] = 0, 0
		return
	}
	f.bit = whole >> (7 - depth) & 1
	first := uint32(0)
	if depth > 0 {
		first = 1
	}
	f.by[0] = &f.lengths[(uint32(grade(f.length))*2+first)*4+f.misses&3]
	f.by[1] = &f.bytes[uint32(f.byte)<<3|uint32(depth)]
	for i := range f.by {
		inputs[i] = f.by[i].stretched()
		if f.bit == 0 {
			inputs[i] = -inputs[i]
		}
	}
}

func (f *forecast) learn(bit uint32) {
	if !f.live {
		return
	}
	hit := uint32(0)
	if bit == f.bit {
		hit = 1
	}
	for _, e := range f.by {
		e.learn(hit, 255)
	}
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
