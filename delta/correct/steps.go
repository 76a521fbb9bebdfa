package correct

import (
	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// Step is a part of a program: literal bytes, or a copy of old ones.
type Step struct {
	Literal bool
	Size    int64
	Old     int64 // where a copy begins
}

// steps is what is known of the steps before.
type steps struct {
	code    *program.Boundaries
	end     int64   // of the last copy in the old file
	literal int64   // bytes since
	ends    []int64 // of copies
	leads   []int64 // where jumps lead that were copied
	kinds   uint32  // the last ones: 1 for literal
	mark    uint32  // where the last copy ended
	size    uint32  // bits of its size
	sources uint32  // how the last copies' beginnings were told
	far     uint32  // how far away the last one began
}

// Kinds of what is coded, which keep contexts apart.
const (
	aKind = iota + 1
	aLiteral
	aSource
	aRank     // and one for each source
	aDistance = iota + 8
	aLength
	anEnd
	anExcess
	aBlock
	aChange
	aWrong
	aMove
	anotherCopy
	aTarget
	anOther
	aField
	aValue
	aWord
	aByte
	aNewByte
	aPlace
	aPlaceBy
	anInside
	aPart
)

// Ways to tell where a copy begins.
const (
	byBlock       = iota // blocks of code from the last copy's end
	byEnd                // at the end of a copy before
	byLead               // where a jump that was copied leads
	byInstruction        // instructions from the last copy's end
	byOffset             // bytes from the last copy's end
	bySame               // where literals leave off
)

// How many ends and leads are looked at.
const (
	maxEnds  = 32
	maxLeads = 64
)

// Step codes a step.
func (x *Codec) Step(s *Step) {
	t := &x.steps
	kinds := t.kinds & 7
	literal := x.d.Decide(bit(s.Literal), &mix.Contexts{of2(aKind, kinds), of2(aKind, t.mark), of3(aKind, kinds&3, t.size), of4(aKind, kinds&1, t.mark, t.sources&7)}, 64+int(kinds))
	t.kinds = t.kinds<<1 | literal
	if s.Literal = literal == 1; s.Literal {
		s.Size = x.number(s.Size-1, aLiteral, t.mark, t.size, 0) + 1
		t.literal += s.Size
		return
	}
	if t.code.Has(t.end) {
		x.source(s)
	} else {
		s.Old = t.end + t.literal + x.distance(s.Old-t.end-t.literal, aDistance)
	}
	x.length(s)
	if s.Old < 0 || s.Size <= 0 || x.err != nil {
		x.err = ErrInvalid
		return
	}
	t.end, t.literal = s.Old+s.Size, 0
	t.mark = uint32(t.code.Mark(t.end))
	t.leads = lastOf(t.code.Take(s.Old, s.Size, t.leads), maxLeads)
	t.ends = lastOf(append(t.ends, t.end), maxEnds)
}

// lastOf keeps of a list that grows at least the last n.
func lastOf(list []int64, n int) []int64 {
	if len(list) < 16*n {
		return list
	}
	return append(list[:0], list[len(list)-n:]...)
}

// distance codes how far from where it may be expected something is.
func (x *Codec) distance(v int64, kind uint32) int64 {
	t := &x.steps
	v = x.signed(v, kind, t.far, t.mark|bit(t.literal > 0)<<8, t.sources>>3&7)
	t.far = size(max(v, -v))<<1 | bit(v < 0)
	return v
}

// source codes where a copy begins after one in code.
func (x *Codec) source(s *Step) {
	t := &x.steps
	way, v := 0, int64(0)
	if x.encoding {
		way, v = t.way(s.Old)
	}
	way = int(x.d.Symbol(uint32(way), 3, &mix.Contexts{of2(aSource, t.sources&7), of2(aSource, t.mark),
		of4(aSource, t.mark, t.sources&7, bit(t.literal > 0)), of2(aSource, uint32(min(t.literal, 16)))}, 72, 1))
	t.sources = t.sources<<3 | uint32(way)
	switch way {
	case byBlock, byOffset, byInstruction:
		v = x.distance(v, aRank+uint32(way))
	case byEnd, byLead:
		v = x.number(v, aRank+uint32(way), t.far, t.mark, t.sources>>3&7)
	}
	old, ok := t.place(way, v)
	if !ok {
		x.err = ErrInvalid
	}
	s.Old = old
}

// near is how many blocks away something is that is told by their number rather than otherwise.
const near = 3

// way returns how best to tell an offset.
func (t *steps) way(old int64) (int, int64) {
	if old == t.end+t.literal {
		return bySame, 0
	}
	mark := t.code.Mark(old)
	blocks := int64(0)
	if mark&program.Blocks != 0 {
		if blocks = t.code.Rank(program.Block, old) - t.code.Rank(program.Block, t.end); blocks >= -near && blocks <= near {
			return byBlock, blocks
		}
	}
	for k := range min(maxEnds, len(t.ends)) {
		if t.ends[len(t.ends)-1-k] == old {
			return byEnd, int64(k)
		}
	}
	for k := range min(maxLeads, len(t.leads)) {
		if t.leads[len(t.leads)-1-k] == old {
			return byLead, int64(k)
		}
	}
	switch {
	case mark&program.Blocks != 0:
		return byBlock, blocks
	case mark&program.Starts != 0:
		return byInstruction, t.code.Rank(program.Instruction, old) - t.code.Rank(program.Instruction, t.end)
	}
	return byOffset, old - t.end
}

// place returns the offset that is told in a way.
func (t *steps) place(way int, v int64) (int64, bool) {
	switch way {
	case byBlock:
		return t.code.Find(program.Block, v+t.code.Rank(program.Block, t.end))
	case byInstruction:
		return t.code.Find(program.Instruction, v+t.code.Rank(program.Instruction, t.end))
	case byEnd:
		if v < min(maxEnds, int64(len(t.ends))) {
			return t.ends[len(t.ends)-1-int(v)], true
		}
	case byLead:
		if v < min(maxLeads, int64(len(t.leads))) {
			return t.leads[len(t.leads)-1-int(v)], true
		}
	case byOffset:
		return t.end + v, true
	case bySame:
		return t.end + t.literal, true
	}
	return 0, false
}
