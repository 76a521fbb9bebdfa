package replay

import "math/bits"

// Sizes of RFC 1951's alphabets and codes.
const (
	maxLitLen  = 286
	maxDist    = 30
	maxCodeLen = 19
	maxBits    = 15
	minMatch   = 3
	maxMatch   = 258
	windowSize = 1 << 15
)

// An entry of a table is what a code stands for. The low 5 bits are the code's length; 0 is no code.
// Bits 8 to 11 are how many extra bits follow, bits 16 and up the base value.
type entry uint32

const (
	literal  entry = 1 << 5 // the value is a byte
	endBlock entry = 1 << 6
	sub      entry = 1 << 7 // the value is where a second table begins, for as many more bits as "extra"
)

func (e entry) bits() uint    { return uint(e & 0x1f) }
func (e entry) extra() uint   { return uint(e >> 8 & 0xf) }
func (e entry) value() uint32 { return uint32(e >> 16) }

// table decodes one alphabet: its first 1<<root entries by the next bits of the stream, the others by
// the bits that follow them.
type table struct {
	root    uint
	entries []entry
}

// build makes the table of the codes with these lengths; symbols says what each stands for. It
// returns false for lengths that make no prefix code. Like zlib, it takes a code of one symbol.
func (t *table) build(lengths []uint8, symbols []entry) bool {
	var count, next [maxBits + 2]int
	longest := 0
	for _, n := range lengths {
		count[n]++
		longest = max(longest, int(n))
	}
	count[0] = 0
	code := 0
	for n := 1; n <= longest; n++ {
		code <<= 1
		next[n] = code
		code += count[n]
	}
	if longest > 0 && code != 1<<longest && !(code == 1 && longest == 1) {
		return false
	}
	t.entries = append(t.entries[:0], make([]entry, 1<<t.root)...)
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		t.add(int(bits.Reverse16(uint16(next[n]))>>(16-n)), uint(n), symbols[symbol], uint(longest))
		next[n]++
	}
	return true
}

// add enters a code of n bits, given as the stream has it, wherever it leads to.
func (t *table) add(code int, n uint, e entry, longest uint) {
	at, size := 0, 1<<t.root
	if n > t.root {
		first := &t.entries[code&(1<<t.root-1)]
		more := longest - t.root
		if *first == 0 {
			*first = entry(len(t.entries))<<16 | entry(more)<<8 | sub | entry(t.root)
			t.entries = append(t.entries, make([]entry, 1<<more)...)
		}
		at, size = int(first.value()), 1<<more
		code >>= t.root
		n -= t.root
	}
	for ; code < size; code += 1 << n {
		t.entries[at+code] = e | entry(n)
	}
}

var (
	litLenSymbols  = makeLitLen()
	distSymbols    = makeDist()
	codeLenSymbols = makeCodeLen()
	codeLenOrder   = [maxCodeLen]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// makeLitLen: RFC 1951, 3.2.5.
func makeLitLen() []entry {
	list := make([]entry, 0, maxLitLen+2)
	for b := range 256 {
		list = append(list, entry(b)<<16|literal)
	}
	list = append(list, endBlock)
	base := minMatch
	for i := range 28 {
		extra := max(i/4-1, 0)
		list = append(list, entry(base)<<16|entry(extra)<<8)
		base += 1 << extra
	}
	return append(list, maxMatch<<16)
}

func makeDist() []entry {
	list := make([]entry, 0, maxDist)
	base := 1
	for i := range maxDist {
		extra := max(i/2-1, 0)
		list = append(list, entry(base)<<16|entry(extra)<<8)
		base += 1 << extra
	}
	return list
}

func makeCodeLen() []entry {
	list := make([]entry, 0, maxCodeLen)
	for i := range maxCodeLen {
		list = append(list, entry(i)<<16)
	}
	return list
}
