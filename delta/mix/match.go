package mix

// forecast foretells the next byte from what followed the same bytes before.
type forecast struct {
	active bool
	byte   byte // foretold
	length int  // bytes that agreed, at most 65535
	misses uint32
}

// context makes a context of what is foretold.
func (f *forecast) context() uint32 {
	if !f.active {
		return 0
	}
	return uint32(f.byte) + 1 + uint32(min(f.length, 15))<<9
}

// graded returns the length's grade, from 1 on, or 0 if nothing is foretold.
func (f *forecast) graded() int {
	if !f.active {
		return 0
	}
	return 1 + grade(f.length)*14/15
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
