package cdeflate

// Lengths computes what zlib writes at the head of a block: it keeps its tables for the next one.
type Lengths struct{ h *huffman }

// NewLengths returns an empty Lengths.
func NewLengths() *Lengths { return &Lengths{newHuffman()} }

// Trees returns the lengths of the codes for a block in which the literals and lengths, at most 286,
// and the distances, at most 30, are so frequent. The end of the block counts once by itself.
func (l *Lengths) Trees(literal, dist []uint32) (literalLengths, distLengths []uint8) {
	l.h.begin()
	for n, f := range literal {
		if n != endBlock {
			l.h.literal.nodes[n].freq = f
		}
	}
	for n, f := range dist {
		l.h.dist.nodes[n].freq = f
	}
	l.h.build(&l.h.literal)
	l.h.build(&l.h.dist)
	return l.h.literal.lengths(), l.h.dist.lengths()
}

// Items tells visit how zlib writes a tree's lengths: a length, or code 16, 17 or 18 and its extra bits.
func (l *Lengths) Items(lengths []uint8, visit func(code, extra uint8)) {
	t := &tree{nodes: make([]node, len(lengths)), maxCode: len(lengths) - 1}
	for n, length := range lengths {
		t.nodes[n].length = uint16(length)
	}
	t.scan(func(code int, extra uint32) { visit(uint8(code), uint8(extra)) })
}

// BitLengths returns the lengths of the codes for items that are so frequent, in the order in which
// they are written.
func (l *Lengths) BitLengths(freq *[bitCodes]uint32) []uint8 {
	l.h.begin()
	for n, f := range freq {
		l.h.bit.nodes[n].freq = f
	}
	l.h.build(&l.h.bit)
	lengths := make([]uint8, bitCodes)
	last := 4
	for i, code := range bitOrder {
		lengths[i] = uint8(l.h.bit.nodes[code].length)
		if lengths[i] != 0 {
			last = max(last, i+1)
		}
	}
	return lengths[:last]
}

func (t *tree) lengths() []uint8 {
	lengths := make([]uint8, t.maxCode+1)
	for n := range lengths {
		lengths[n] = uint8(t.nodes[n].length)
	}
	return lengths
}
