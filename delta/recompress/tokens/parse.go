package tokens

import (
	"errors"
	"fmt"
	"io"
)

// RFC 1951's numbers.
const (
	typeStored  = 0
	typeFixed   = 1
	typeDynamic = 2

	minMatch   = 3
	maxMatch   = 258
	windowSize = 1 << 15

	endBlock  = 256
	litCodes  = 286
	distCodes = 30
	bitCodes  = 19
	maxBits   = 15
)

var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	bitOrder    = [bitCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// Token is a literal, or a match: its length times 2^16 plus its distance less 1.
type Token uint32

func match(length, dist int) Token { return Token(length<<16 | dist - 1) }

// length returns 0 for a literal.
func (t Token) length() int { return int(t >> 16) }
func (t Token) dist() int   { return int(t&0xffff) + 1 }

// Block is one block of a DEFLATE stream.
type Block struct {
	Type   byte // 0 stored, 1 fixed trees, 2 its own
	Final  bool
	Size   int     // plain bytes
	Tokens []Token // of types 1 and 2
	header header  // of type 2
}

// header describes a block's own trees.
type header struct {
	literal, dist []uint8 // lengths of the codes
	bits          []uint8 // lengths of the codes that code these, in the order of bitOrder
	items         []item
}

// item is a length, or a run of lengths: code 16 to 18 and the value of its extra bits.
type item struct{ code, extra uint8 }

// Parser takes a DEFLATE stream apart.
type Parser struct {
	in     io.ByteReader
	hold   uint64
	valid  uint // bits in hold
	beyond uint // of these, zeros that stand for bytes behind the end
	lit    decoder
	dist   decoder
	static bool // the decoders hold the fixed trees
	plain  int64
	err    error
}

// NewParser returns a parser of the stream at the beginning of in.
func NewParser(in io.ByteReader) *Parser { return &Parser{in: in} }

// ErrForm says that a stream is none, or one that no encoder writes: one that fills up its bytes with ones,
// say.
var ErrForm = errors.New("tokens: malformed stream")

// Next parses the next block into b. A block of more than MaxBlock tokens is an error.
func (p *Parser) Next(b *Block) error {
	b.Tokens, b.Size = b.Tokens[:0], 0
	b.Final = p.take(1) == 1
	b.Type = byte(p.take(2))
	switch b.Type {
	case typeStored:
		p.stored(b)
	case typeFixed:
		p.fixed()
		p.tokens(b)
	case typeDynamic:
		p.dynamic(&b.header)
		p.tokens(b)
	default:
		p.fail()
	}
	p.plain += int64(b.Size)
	return p.err
}

func (p *Parser) fail() {
	if p.err == nil {
		p.err = ErrForm
	}
}

func (p *Parser) fill(n uint) {
	for p.valid < n {
		c, err := p.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			p.beyond += 8
		case err != nil && p.err == nil:
			p.err = fmt.Errorf("tokens: stream: %w", err)
		}
		p.hold |= uint64(c) << p.valid
		p.valid += 8
	}
}

func (p *Parser) drop(n uint) {
	p.hold >>= n
	p.valid -= n
	if p.valid < p.beyond && p.err == nil {
		p.err = fmt.Errorf("tokens: stream: %w", io.ErrUnexpectedEOF)
	}
}

func (p *Parser) take(n uint) uint32 {
	p.fill(n)
	v := uint32(p.hold & (1<<n - 1))
	p.drop(n)
	return v
}

// stored skips a stored block. What fills the last byte before it must be zeros: encoders write them.
func (p *Parser) stored(b *Block) {
	if p.take(p.valid&7) != 0 {
		p.fail()
	}
	n := p.take(16)
	if p.take(16) != ^n&0xffff {
		p.fail()
	}
	b.Size = int(n)
	for range n {
		if p.err != nil {
			return
		}
		p.take(8)
	}
}

func (p *Parser) fixed() {
	if p.static {
		return
	}
	lit, dist := fixedLengths()
	if !p.lit.make(lit) || !p.dist.make(dist) {
		p.fail()
	}
	p.static = true
}

func fixedLengths() (literal, dist []uint8) {
	literal, dist = make([]uint8, 288), make([]uint8, 30)
	for n := range literal {
		switch {
		case n < 144:
			literal[n] = 8
		case n < 256:
			literal[n] = 9
		case n < 280:
			literal[n] = 7
		default:
			literal[n] = 8
		}
	}
	for n := range dist {
		dist[n] = 5
	}
	return literal, dist
}

func (p *Parser) dynamic(h *header) {
	p.static = false
	literal, dist, count := int(p.take(5))+257, int(p.take(5))+1, int(p.take(4))+4
	if literal > litCodes || dist > distCodes {
		p.fail()
		return
	}
	h.bits = make([]uint8, count)
	var lengths [bitCodes]uint8
	for i := range h.bits {
		h.bits[i] = uint8(p.take(3))
		lengths[bitOrder[i]] = h.bits[i]
	}
	var d decoder
	if !d.make(lengths[:]) {
		p.fail()
		return
	}
	h.items = h.items[:0]
	all := make([]uint8, 0, literal+dist)
	for len(all) < literal+dist && p.err == nil {
		it := item{code: uint8(p.symbol(&d))}
		it.extra = uint8(p.take(itemExtra(it.code)))
		h.items = append(h.items, it)
		var ok bool
		if all, ok = it.expand(all); !ok || len(all) > literal+dist {
			p.fail()
			return
		}
	}
	if p.err != nil {
		return
	}
	h.literal, h.dist = all[:literal:literal], all[literal:]
	if h.literal[endBlock] == 0 || !p.lit.make(h.literal) || !p.dist.make(h.dist) {
		p.fail()
	}
}

func itemExtra(code uint8) uint { return [bitCodes]uint{16: 2, 17: 3, 18: 7}[code] }

// expand appends the lengths that the item stands for.
func (it item) expand(lengths []uint8) ([]uint8, bool) {
	value, times := uint8(0), int(it.extra)
	switch it.code {
	case 16:
		if len(lengths) == 0 {
			return nil, false
		}
		value, times = lengths[len(lengths)-1], times+3
	case 17:
		times += 3
	case 18:
		times += 11
	default:
		value, times = it.code, 1
	}
	for range times {
		lengths = append(lengths, value)
	}
	return lengths, true
}

func (p *Parser) symbol(d *decoder) int {
	p.fill(maxBits)
	e := d.table[p.hold&(1<<maxBits-1)]
	if e == 0 {
		p.fail()
		return 0
	}
	p.drop(uint(e & 15))
	return int(e >> 4)
}

func (p *Parser) tokens(b *Block) {
	for p.err == nil {
		s := p.symbol(&p.lit)
		switch {
		case s < endBlock:
			b.Tokens = append(b.Tokens, Token(s))
			b.Size++
		case s == endBlock:
			return
		default:
			p.match(b, s-endBlock-1)
		}
		if len(b.Tokens) > MaxBlock {
			p.fail()
		}
	}
}

func (p *Parser) match(b *Block, s int) {
	if s >= len(lengthBase) {
		p.fail()
		return
	}
	length := int(lengthBase[s]) + int(p.take(uint(lengthExtra[s])))
	d := p.symbol(&p.dist)
	if d >= distCodes || length == maxMatch && s != len(lengthBase)-1 {
		p.fail() // 258 has two codes: encoders write the short one
		return
	}
	dist := int(distBase[d]) + int(p.take(uint(distExtra[d])))
	if int64(dist) > p.plain+int64(b.Size) {
		p.fail()
		return
	}
	b.Tokens = append(b.Tokens, match(length, dist))
	b.Size += length
}
