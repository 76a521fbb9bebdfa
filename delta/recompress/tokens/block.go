package tokens

import (
	"bytes"
	"slices"

	"github.com/sallyport-dev/sallyport/delta/recompress/cdeflate"
)

// MaxBlock is how many tokens a block may have.
const MaxBlock = 1 << 20

// blockModel codes what begins a block.
type blockModel struct {
	kinds, final, sameCount, trees []prob
	size                           *number
	lastKind                       int
	lastCount                      [3]int
	last                           header // of the last block with trees of its own
	zlib                           *cdeflate.Lengths
	explicit                       headerModel
}

// headerModel codes trees that are not the expected ones.
type headerModel struct {
	counts, same, lengths   []prob
	itemsSame, items, extra []prob
	bitsSame, bits          []prob
}

func newBlockModel() blockModel {
	return blockModel{
		kinds: newProbs(16), final: newProbs(4), sameCount: newProbs(4), trees: newProbs(12), size: newNumber(),
		zlib: cdeflate.NewLengths(),
		explicit: headerModel{
			counts: newProbs(256), same: newProbs(64), lengths: newProbs(32 * 16),
			itemsSame: newProbs(1), items: newProbs(32), extra: newProbs(3 * 128),
			bitsSame: newProbs(1), bits: newProbs(16),
		},
	}
}

// The ways of a block's trees.
const (
	treesZlib = iota // as zlib would make them of the tokens
	treesLast        // the last block's
	treesOwn
)

// begin codes a block's type and size: plain bytes of a stored one, tokens of the others.
func (d *model) begin(b *Block, size int) int {
	m := &d.blocks
	b.Type = byte(d.tree(m.kinds[m.lastKind*4:], 2, int(b.Type)))
	if b.Type > typeDynamic {
		d.short = true
		return 0
	}
	b.Final = d.bit(&m.final[bit(d.pos == d.end)], bit(b.Final)) == 1
	m.lastKind = int(b.Type)
	last := &m.lastCount[b.Type]
	if d.bit(&m.sameCount[b.Type], bit(size != *last)) == 0 {
		return *last
	}
	*last = d.number(m.size, size)
	return *last
}

// heads codes the trees of a block, whose tokens are known.
func (d *model) heads(b *Block) {
	m := &d.blocks
	h := &b.header
	var expected header
	expected.literal, expected.dist = m.zlib.Trees(frequencies(b.Tokens))
	way := treesOwn
	switch {
	case d.reads:
	case h.equal(d.complete(expected)):
		way = treesZlib
	case h.equal(m.last):
		way = treesLast
	}
	switch d.tree(m.trees, 2, way) {
	case treesZlib:
		*h = d.complete(expected)
	case treesLast:
		*h = m.last
	default:
		d.own(h, expected)
	}
	if len(h.literal) <= endBlock {
		d.short = true
	}
	m.last = header{slices.Clone(h.literal), slices.Clone(h.dist), slices.Clone(h.bits), slices.Clone(h.items)}
}

func (h *header) equal(g header) bool {
	return bytes.Equal(h.literal, g.literal) && bytes.Equal(h.dist, g.dist) && bytes.Equal(h.bits, g.bits) && slices.Equal(h.items, g.items)
}

// complete adds to two trees how zlib writes them.
func (d *model) complete(h header) header {
	h.items = d.expectedItems(h)
	h.bits = d.expectedBits(h)
	return h
}

func (d *model) expectedItems(h header) (items []item) {
	add := func(code, extra uint8) { items = append(items, item{code, extra}) }
	d.blocks.zlib.Items(h.literal, add)
	d.blocks.zlib.Items(h.dist, add)
	return items
}

func (d *model) expectedBits(h header) []uint8 {
	var freq [bitCodes]uint32
	for _, it := range h.items {
		freq[it.code]++
	}
	return d.blocks.zlib.BitLengths(&freq)
}

// frequencies counts the codes that tokens take.
func frequencies(tokens []Token) (literal, dist []uint32) {
	literal, dist = make([]uint32, litCodes), make([]uint32, distCodes)
	for _, t := range tokens {
		if n := t.length(); n == 0 {
			literal[t]++
		} else {
			literal[endBlock+1+int(lengthCode[n])]++
			dist[distCode(t.dist())]++
		}
	}
	return literal, dist
}

// own codes trees each of whose lengths is near the expected one's.
func (d *model) own(h *header, expected header) {
	m := &d.blocks.explicit
	h.literal = d.lengthsNear(m, h.literal, expected.literal, endBlock+1, litCodes)
	h.dist = d.lengthsNear(m, h.dist, expected.dist, 1, distCodes)
	items := d.expectedItems(*h)
	if d.bit(&m.itemsSame[0], bit(!slices.Equal(items, h.items))) == 1 {
		items = d.items(h)
	}
	h.items = items
	bits := d.expectedBits(*h)
	if d.bit(&m.bitsSame[0], bit(!bytes.Equal(bits, h.bits))) == 1 {
		bits = d.bitLengths(h.bits)
	}
	h.bits = bits
}

// lengthsNear codes a tree's lengths, of which there are least to most.
func (d *model) lengthsNear(m *headerModel, lengths, expected []uint8, least, most int) []uint8 {
	n := d.tree(m.counts, 5, len(lengths)-least) + least
	if n > most {
		d.short = true
		n = most
	}
	coded := make([]uint8, n)
	for i := range coded {
		near, actual := 0, 0
		if i < len(expected) {
			near = int(expected[i])
		}
		if !d.reads {
			actual = int(lengths[i])
		}
		if d.bit(&m.same[near], bit(actual != near)) == 0 {
			coded[i] = uint8(near)
		} else {
			coded[i] = uint8(d.tree(m.lengths[near*16:], 4, actual))
		}
	}
	return coded
}

// items codes how lengths are written, one by one: they expand to as many as there are.
func (d *model) items(h *header) []item {
	m := &d.blocks.explicit
	var coded []item
	var lengths []uint8
	total := len(h.literal) + len(h.dist)
	for i := 0; len(lengths) < total; i++ {
		var it item
		if !d.reads {
			it = h.items[i]
		}
		it.code = uint8(d.tree(m.items, 5, int(it.code)))
		if it.code >= bitCodes {
			d.short = true
			return coded
		}
		if n := itemExtra(it.code); n > 0 {
			it.extra = uint8(d.tree(m.extra[(int(it.code)-16)*128:], n, int(it.extra)))
		}
		var ok bool
		if lengths, ok = it.expand(lengths); !ok {
			d.short = true
			return coded
		}
		coded = append(coded, it)
	}
	return coded
}

func (d *model) bitLengths(lengths []uint8) []uint8 {
	m := &d.blocks.explicit
	coded := make([]uint8, 4+d.tree(m.bits, 4, len(lengths)-4))
	if len(coded) > bitCodes {
		d.short = true
		coded = coded[:bitCodes]
	}
	for i := range coded {
		v := 0
		if !d.reads {
			v = int(lengths[i])
		}
		coded[i] = uint8(d.tree(m.bits, 3, v))
	}
	return coded
}
