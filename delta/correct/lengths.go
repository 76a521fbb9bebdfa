package correct

import (
	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// longCopy is from how many bytes on a copy's size is told as a number wherever it is.
const longCopy = 2048

// length codes how many bytes a copy has.
func (x *Codec) length(s *Step) {
	t := &x.steps
	inside := bit(t.code.Has(s.Old))
	long := x.d.Decide(bit(s.Size >= longCopy), &mix.Contexts{of3(aLength, inside, min(t.size, 12)), of3(aLength, inside, t.kinds&7), of3(aLength, inside, t.sources&7), of2(aLength, uint32(t.code.Mark(s.Old)))}, 2)
	if long == 1 || inside == 0 {
		least := max(1, longCopy*int64(long))
		s.Size = least + x.number(s.Size-least, anExcess, inside|long<<1, t.size, t.kinds&3)
	} else {
		s.Size = x.ending(s.Old, s.Size)
	}
	t.size = size(s.Size)
}

// ending codes the size of a copy in code: before which block it ends, and how many instructions before.
func (x *Codec) ending(old, n int64) int64 {
	t := &x.steps
	blocks, count := uint32(0), uint32(0)
	at, last := old+1, old
	for ; at < old+2*longCopy; at++ {
		var mark program.Mark
		if at, mark = t.code.Next(at); at >= old+2*longCopy {
			at = old + 2*longCopy
			break
		}
		if mark&program.Starts != 0 {
			count++
		}
		if mark&program.Blocks == 0 && t.code.Has(at) {
			continue
		}
		blocks++
		if x.endsAt(at, old, mark, count, blocks, bit(at-old >= n)) == 1 {
			break
		}
		last, count = at, 0
	}
	mark := uint32(t.code.Mark(at))
	if x.d.Decide(bit(at-old == n), &mix.Contexts{of2(anExcess, mark), of3(anExcess, count, mark), of2(anExcess, t.size), of2(anExcess, min(blocks, 15))}, 4) == 1 {
		return at - old
	}
	return x.inside(old, last, at, n)
}

// inside codes where in a block between last and at a copy ends.
func (x *Codec) inside(old, last, at, n int64) int64 {
	t := &x.steps
	count := uint32(0)
	end := last + 1
	for ; end < at; end++ {
		var mark program.Mark
		if end, mark = t.code.Next(end); end >= at {
			end = at
			break
		}
		if mark&program.Starts == 0 {
			continue
		}
		count++
		left := uint32(min(at-end, 40))
		if x.d.Decide(bit(end-old >= n), &mix.Contexts{of2(anInside, count), of2(anInside, left), of3(anInside, uint32(mark), uint32(t.code.Mark(at))), of3(anInside, count, left/4)}, 8) == 1 {
			break
		}
	}
	excess := end - old - n
	if x.d.Decide(bit(excess > 0), &mix.Contexts{of2(aPart, 0), of2(aPart, t.size), of2(aPart, count), of2(aPart, t.kinds&7)}, 5) == 0 {
		return end - old
	}
	if excess = x.number(excess-1, anExcess, 1<<8, 0, 0) + 1; excess > program.MaxInstruction {
		x.err = ErrInvalid
	}
	return end - old - excess
}

// endsAt codes whether a copy ends at a block's beginning, or ended since the last.
func (x *Codec) endsAt(at, old int64, mark program.Mark, count, blocks, end uint32) uint32 {
	t := &x.steps
	m := uint32(mark)
	taken := m & uint32(program.Taken)
	next := bit(t.code.Mark(at+1)&program.Taken != 0)
	return x.d.Decide(end, &mix.Contexts{of2(anEnd, m), of5(anEnd, m, min(size(at-old), 8), taken, next), of4(anEnd, m, t.sources&7, min(blocks, 8)), of4(anEnd, m, t.ahead(at), count)}, 3)
}

// ahead tells of the next three instructions behind a boundary.
func (t *steps) ahead(at int64) uint32 {
	v, n := uint32(0), 0
	for i := at + 1; n < 3; i++ {
		var m program.Mark
		if i, m = t.code.Next(i); i >= at+24 {
			break
		}
		if m&program.Starts != 0 {
			v = v<<3 | uint32(m&program.Taken)>>3 | uint32(m&3)
			n++
		}
	}
	return v
}
