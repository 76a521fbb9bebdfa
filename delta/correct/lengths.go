package correct

import "github.com/sallyport-dev/sallyport/delta/program"

// longCopy is from how many bytes on a copy's size is told as a number wherever it is.
const longCopy = 2048

// length codes how many bytes a copy has.
func (x *Codec) length(s *Step) {
	t := &x.steps
	inside := bit(t.code.Has(s.Old))
	long := x.d.Decide(bit(s.Size >= longCopy), 0, []uint32{hash(aLength, inside, min(t.size, 12)), hash(aLength, inside, t.kinds&7, 1)}, 2, 2)
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
		mark := t.code.Mark(at)
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
	if x.d.Decide(bit(at-old == n), 0, []uint32{hash(anExcess, uint32(t.code.Mark(at)), 1), hash(anExcess, count, uint32(t.code.Mark(at)), 2), hash(anExcess, t.size, 3)}, 4, 4) == 1 {
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
		mark := t.code.Mark(end)
		if mark&program.Starts == 0 {
			continue
		}
		count++
		left := uint32(min(at-end, 40))
		if x.d.Decide(bit(end-old >= n), 0, []uint32{hash(anEnd, count, 10), hash(anEnd, left, 11), hash(anEnd, uint32(mark), uint32(t.code.Mark(at)), 12), hash(anEnd, count, left/4, 13)}, 8, 8) == 1 {
			break
		}
	}
	excess := end - old - n
	if x.d.Decide(bit(excess > 0), 1, []uint32{hash(anExcess, 4), hash(anExcess, t.size, 5)}, 4, 4) == 0 {
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
	return x.d.Decide(end, m, []uint32{hash(anEnd), hash(anEnd, min(blocks, 20), 1), hash(anEnd, min(blocks, 10), min(t.size, 8)),
		hash(anEnd, min(size(at-old), 8), taken, next), hash(anEnd, t.sources&7, min(blocks, 8), 2), hash(anEnd, t.ahead(at), count, 4)}, 3, 128+int(m))
}

// ahead tells of the next three instructions behind a boundary.
func (t *steps) ahead(at int64) uint32 {
	v, n := uint32(0), 0
	for i := at + 1; i < at+24 && n < 3; i++ {
		if m := t.code.Mark(i); m&program.Starts != 0 {
			v = v<<3 | uint32(m&program.Taken)>>3 | uint32(m&3)
			n++
		}
	}
	return v
}
