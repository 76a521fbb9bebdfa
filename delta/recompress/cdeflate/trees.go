package cdeflate

import "io"

// Sizes of RFC 1951's alphabets.
const (
	lengthCodes = 29
	literals    = 256
	litCodes    = literals + 1 + lengthCodes
	distCodes   = 30
	bitCodes    = 19
	heapSize    = 2*litCodes + 1
	maxBits     = 15
	maxBitBits  = 7
	endBlock    = 256
)

var (
	extraLength = [lengthCodes]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	extraDist   = [distCodes]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	extraBits   = [bitCodes]uint8{16: 2, 17: 3, 18: 7}
	bitOrder    = [bitCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	fixed       = makeFixed()
)

// node is a code of a tree: leaf or, while the tree is built, inner node.
type node struct {
	freq   uint32
	code   uint16
	dad    uint16
	length uint16
}

// kind is what a tree's alphabet is like.
type kind struct {
	extra     []uint8
	base      int // the first code with extra bits
	elements  int
	maxLength uint16
	static    []node // of the fixed tree; nil: none
}

type tree struct {
	kind
	nodes   []node
	maxCode int
}

type fixedTrees struct {
	literal    [litCodes + 2]node
	dist       [distCodes]node
	lengthCode [256]uint8 // of a length minus 3
	distCode   [512]uint8 // of a distance minus 1; of those above 255, by their high bits
	baseLength [lengthCodes]uint16
	baseDist   [distCodes]uint16
}

func makeFixed() *fixedTrees {
	f := &fixedTrees{}
	length := 0
	for code := range lengthCodes - 1 {
		f.baseLength[code] = uint16(length)
		for range 1 << extraLength[code] {
			f.lengthCode[length] = uint8(code)
			length++
		}
	}
	f.lengthCode[255] = lengthCodes - 1
	f.baseLength[lengthCodes-1] = 255
	dist := 0
	for code := range 16 {
		f.baseDist[code] = uint16(dist)
		for range 1 << extraDist[code] {
			f.distCode[dist] = uint8(code)
			dist++
		}
	}
	dist >>= 7
	for code := 16; code < distCodes; code++ {
		f.baseDist[code] = uint16(dist << 7)
		for range 1 << (extraDist[code] - 7) {
			f.distCode[256+dist] = uint8(code)
			dist++
		}
	}
	f.makeCodes()
	return f
}

func (f *fixedTrees) makeCodes() {
	var count [maxBits + 1]uint16
	for n := range f.literal {
		bits := uint16(8)
		switch {
		case n >= 144 && n < 256:
			bits = 9
		case n >= 256 && n < 280:
			bits = 7
		}
		f.literal[n].length = bits
		count[bits]++
	}
	assignCodes(f.literal[:], &count)
	for n := range f.dist {
		f.dist[n].length, f.dist[n].code = 5, reverse(uint16(n), 5)
	}
}

func (f *fixedTrees) dCode(dist int) int {
	if dist < 256 {
		return int(f.distCode[dist])
	}
	return int(f.distCode[256+dist>>7])
}

func reverse(code uint16, length uint16) uint16 {
	var r uint16
	for range length {
		r = r<<1 | code&1
		code >>= 1
	}
	return r
}

// assignCodes gives codes to the lengths that nodes have.
func assignCodes(nodes []node, count *[maxBits + 1]uint16) {
	var next [maxBits + 1]uint16
	code := uint16(0)
	for bits := 1; bits <= maxBits; bits++ {
		code = (code + count[bits-1]) << 1
		next[bits] = code
	}
	for i := range nodes {
		if n := &nodes[i]; n.length > 0 {
			n.code = reverse(next[n.length], n.length)
			next[n.length]++
		}
	}
}

// bitWriter packs bits, the lowest first.
type bitWriter struct {
	out   []byte
	bits  uint64
	valid uint
}

func (w *bitWriter) put(value uint32, length uint) {
	w.bits |= uint64(value) << w.valid
	w.valid += length
	for w.valid >= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
		w.valid -= 8
	}
}

// align fills up the last byte.
func (w *bitWriter) align() {
	if w.valid > 0 {
		w.put(0, 8-w.valid)
	}
}

func (w *bitWriter) flush(to io.Writer) error {
	_, err := to.Write(w.out)
	w.out = w.out[:0]
	return err
}
