package correct

import (
	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// changes is what is known of what changed before.
type changes struct {
	p         *program.Program
	places    *program.Places
	new       []byte   // the new file; nil for a decoder
	blocks    []uint64 // bits: whether anything changes in a block of the new file
	areas     [levels]area
	copy      program.Span
	addresses []address // by hash: where references to an old address went last
	last      []uint16  // by hash: what a byte or an instruction changed into last, and 1; 0: nothing
	history   uint32    // of instructions: 1 for one that changed
	hit       uint32    // whether anything changed in the block so far
	moved     uint32    // bits of how far off the last reference was, and its sign
	words     uint32    // history of words of data
	bytes     uint64    // of bytes
	before    uint64    // the last eight bytes of data
	delta     byte      // how the last byte changed
}

// address is where an old address went.
type address struct {
	old, new int64
	count    uint32 // how often in a row
}

const (
	addressBits = 12
	lastBits    = 12
)

func (c *changes) begin(p *program.Program) {
	clear(c.addresses)
	*c = changes{p: p, addresses: c.addresses, last: c.last}
}

// Changes goes on with what changes. An encoder gives the new file and where it changes: a bit for each
// 1<<BlockBits bytes, the lowest first, that is set if data in it changes or an instruction that begins there.
func (x *Codec) Changes(new []byte, blocks []uint64) {
	x.changes.new, x.changes.blocks = new, blocks
	x.changes.places = x.steps.code.Places(x.changes.p.Spans)
}

// Copy goes on with a copy.
func (x *Codec) Copy(s program.Span) { x.changes.copy = s }

// Where nothing changes, one decision goes for a whole area; blocks lie in areas of the first level.
const (
	levels = 3
	// BlockBits are the bits of an offset that tell the bytes of a block apart.
	BlockBits  = 6
	middleBits = 9
	areaBits   = 14
)

// area is one of the stretches that the new file consists of.
type area struct {
	next    int64 // number of the area behind it
	live    bool
	history uint32
	seen    uint32 // whether anything changed in the area around it so far
}

var areaShift = [levels]uint{areaBits, middleBits, BlockBits}

// Correct makes a part of the copy what it is to be.
func (x *Codec) Correct(t *program.Part) {
	end := t.New + int64(len(t.Bytes))
	for at := t.New; at < end; {
		live, next := x.changing(at)
		if next = min(next, end); live {
			x.changes.p.Correct(t, int(at-t.New), int(next-t.New), x)
		} else {
			x.changes.history = 0
		}
		at = next
	}
}

// changing codes whether anything changes in the areas that an offset of the new file lies in, up to a next one.
func (x *Codec) changing(at int64) (live bool, next int64) {
	for level, shift := range areaShift {
		a := &x.changes.areas[level]
		n := at >> shift
		if next = (n + 1) << shift; n+1 != a.next {
			a.next = n + 1
			if level+1 < levels {
				x.changes.areas[level+1].seen = 0
			}
			x.area(a, level, n, at)
		}
		if !a.live {
			return false, next
		}
	}
	return true, next
}

// area codes whether anything changes in area n of a level, which begins at an offset as far as the copy has it.
func (x *Codec) area(a *area, level int, n, at int64) {
	l, c, shift := uint32(level), &x.changes.copy, areaShift[level]
	part := uint32(n<<shift&(1<<areaShift[max(level-1, 0)]-1)>>shift) + a.seen<<8
	from, left := size(at-c.New), size(c.New+c.Size-at)
	v := x.d.Decide(x.changes.any(n, level), &mix.Contexts{of3(aBlock, l, a.history&0xff), of4(aBlock, l, part, a.history&1),
		of4(aBlock, l, from, left), of5(aBlock, l, left, uint32(min(c.Size, 1<<12)>>6), a.history&3)}, 16+level)
	a.seen |= v
	a.history = a.history<<1 | v
	a.live = v == 1
	x.changes.hit = 0
}

// any tells whether anything changes in area n of a level.
func (c *changes) any(n int64, level int) uint32 {
	shift := areaShift[level] - BlockBits
	for i := n << shift; i < (n+1)<<shift && i/64 < int64(len(c.blocks)); i++ {
		if c.blocks[i/64]>>(i%64)&1 != 0 {
			return 1
		}
	}
	return 0
}

// want returns what n bytes from an offset are to be, if that is known.
func (c *changes) want(at int64, n int) []byte {
	if c.new == nil {
		return nil
	}
	return c.new[at:][:n]
}

// lastAt returns where it stands what became of something.
func (c *changes) lastAt(key uint32) *uint16 { return &c.last[key*0x85ebca6b>>(32-lastBits)] }
