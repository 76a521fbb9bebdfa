package tokens

// decoder looks up codes by the next 15 bits: a symbol times 16 plus the code's length, 0 for none.
type decoder struct {
	table [1 << maxBits]uint16
}

// make fills the table for codes of these lengths. It tells whether no code is the beginning of
// another.
func (d *decoder) make(lengths []uint8) bool {
	codes, ok := canonical(lengths)
	if !ok {
		return false
	}
	clear(d.table[:])
	for s, n := range lengths {
		if n == 0 {
			continue
		}
		entry := uint16(s<<4) | uint16(n)
		for i := int(codes[s]); i < len(d.table); i += 1 << n {
			d.table[i] = entry
		}
	}
	return true
}

// canonical returns the codes of these lengths, their bits in the order in which they are written. It
// tells whether there are enough codes.
func canonical(lengths []uint8) ([]uint16, bool) {
	var count, next [maxBits + 1]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	code := 0
	for n := 1; n <= maxBits; n++ {
		code = (code + count[n-1]) << 1
		next[n] = code
		if code+count[n] > 1<<n {
			return nil, false
		}
	}
	codes := make([]uint16, len(lengths))
	for s, n := range lengths {
		if n > 0 {
			codes[s] = reverse(next[n], n)
			next[n]++
		}
	}
	return codes, true
}

func reverse(code int, length uint8) uint16 {
	var r uint16
	for range length {
		r = r<<1 | uint16(code&1)
		code >>= 1
	}
	return r
}

// lengthCode holds the code of each length of a match.
var lengthCode = func() (codes [maxMatch + 1]uint8) {
	for code, base := range lengthBase {
		for extra := range 1 << lengthExtra[code] {
			if n := int(base) + extra; n <= maxMatch {
				codes[n] = uint8(code)
			}
		}
	}
	return codes
}()

// distCode returns the code of a distance.
func distCode(dist int) int {
	code := 0
	for n := dist - 1; n > 3; n >>= 1 {
		code += 2
	}
	return code + (dist-1)>>(code/2)
}
