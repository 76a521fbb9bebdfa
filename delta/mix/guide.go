package mix

import "io"

const (
	blockBits  = 16
	blockSize  = 1 << blockBits
	maxBlocks  = 64 // of a guide in memory
	guideKey   = 5  // bytes that are looked up in a guide
	perLiteral = 32 // bytes of a guide that a literal byte allows to read
	atFirst    = 512 << 10
)

// guide keeps blocks of an old version around the places that literals replace.
type guide struct {
	src    io.ReaderAt
	size   int64
	ring   []byte
	blocks []int64       // which block a slot of the ring holds; negative: none
	slots  map[int64]int // where a block is
	turn   int           // slot that is filled next
	index  []uint32      // place in the ring behind a sequence
	credit int64         // bytes that may still be read
	err    error
}

// newGuide returns a guide for a number of literal bytes.
func newGuide(literals int64) *guide {
	n := atFirst >> blockBits
	for n < maxBlocks && int64(n)<<blockBits < atFirst+perLiteral*literals {
		n *= 2
	}
	g := &guide{ring: make([]byte, n<<blockBits), index: make([]uint32, n<<(blockBits-2)), slots: map[int64]int{}, credit: atFirst}
	for range n {
		g.blocks = append(g.blocks, -1)
	}
	return g
}

// around lists the blocks that are wanted around a place, the most wanted first.
var around = [8]int64{0, 1, -1, 2, 3, -2, 4, 5}

// near makes the guide hold what is around an address, as far as the credit goes, and returns the
// address's place; 0: none.
func (g *guide) near(address int64) uint32 {
	if address < 0 || address >= g.size {
		return 0
	}
	for _, d := range around {
		g.load(address>>blockBits + d)
	}
	return g.place(address)
}

func (g *guide) place(address int64) uint32 {
	slot, ok := g.slots[address>>blockBits]
	if !ok {
		return 0
	}
	return uint32(slot<<blockBits+int(address&(blockSize-1))) + 1
}

func (g *guide) load(block int64) {
	if _, ok := g.slots[block]; ok || block < 0 || block<<blockBits >= g.size || g.credit < blockSize || g.err != nil {
		return
	}
	g.credit -= blockSize
	slot := g.turn
	g.turn = (slot + 1) % len(g.blocks)
	delete(g.slots, g.blocks[slot])
	b := g.ring[slot<<blockBits:][:blockSize]
	n := min(blockSize, g.size-block<<blockBits)
	if m, err := g.src.ReadAt(b[:n], block<<blockBits); int64(m) < n {
		g.err = err
		return
	}
	clear(b[n:])
	g.blocks[slot], g.slots[block] = block, slot
	last := uint64(0)
	for i, c := range b[:n] {
		last = last<<8 | uint64(c)
		if i >= guideKey {
			g.index[g.hash(last)] = uint32(slot<<blockBits+i+1) + 1
		}
	}
}

func (g *guide) hash(last uint64) int {
	return int((last<<(64-8*guideKey))*0x9e3779b97f4a7c15>>32) & (len(g.index) - 1)
}

// turnTo goes on with another source whose first same bytes are those of the one before.
func (g *guide) turnTo(src io.ReaderAt, size, same int64) {
	g.src, g.size = src, size
	for slot, block := range g.blocks {
		if block >= 0 && (block+1)<<blockBits > same {
			delete(g.slots, block)
			g.blocks[slot] = -1
		}
	}
}

// get returns the byte at a place.
func (g *guide) get(place uint32) byte { return g.ring[place-1] }

// after returns the place behind one, in the next block if need be; 0: none.
func (g *guide) after(place uint32) uint32 {
	if place&(blockSize-1) != 0 {
		return place + 1
	}
	block := g.blocks[(place-1)>>blockBits]
	if block < 0 || (block+1)<<blockBits >= g.size {
		return 0
	}
	return g.place((block + 1) << blockBits)
}

// span returns the bytes from a place to the end of its block.
func (g *guide) span(place uint32) []byte {
	end := (place-1)>>blockBits<<blockBits + blockSize
	return g.ring[place-1 : end]
}

// before returns the bytes of the place's block before it.
func (g *guide) before(place uint32) []byte {
	return g.ring[(place-1)>>blockBits<<blockBits : place-1]
}

// lasting is how many bytes before a literal are of use.
const lasting = 12

// last returns the bytes before an address.
func (g *guide) last(address int64) []byte {
	if address <= 0 || address > g.size {
		return nil
	}
	if place := g.place(address); place > 0 && len(g.before(place)) >= lasting {
		b := g.before(place)
		return b[len(b)-lasting:]
	}
	b := make([]byte, min(lasting, address))
	if n, err := g.src.ReadAt(b, address-int64(len(b))); n < len(b) {
		g.err = err
		return nil
	}
	return b
}
