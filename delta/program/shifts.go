package program

import "slices"

// shift says that all old addresses from one up to another one go as far.
type shift struct{ from, to, by int64 }

func (s *shift) clip(from, to int64) { s.from, s.to = max(s.from, from), min(s.to, to) }

// shifts are those that were needed last, by what they were needed for: by the bases of groups, and by these. What
// tables refer to lies side by side as a rule; where it does not, looking for shifts is not worth it.
type shifts [shiftSlots]struct {
	shift
	hits        int // of this shift
	wait, pause int // how many misses are still to pass before it is replaced, and how many passed last time
}

const (
	shiftLine = goFunctionBases + iota
	shiftFunction
	shiftCall
	shiftItem
	shiftSlots
)

// What finding a shift costs, in what a hit saves, and the longest pause.
const (
	shiftCost  = 4
	shiftPause = 64
)

// targetBy is Target, which it asks where a shift does not tell.
func (p *Program) targetBy(slot int, old int64) (int64, bool) {
	if s := &p.shifts[slot]; old >= s.from && old < s.to {
		s.hits++
		return old + s.by, true
	}
	return p.targetAnew(slot, old)
}

func (p *Program) targetAnew(slot int, old int64) (int64, bool) {
	moved, ok := p.Target(old)
	s := &p.shifts[slot]
	if s.wait--; s.wait >= 0 || !ok {
		return moved, ok
	}
	if s.hits >= shiftCost {
		s.pause = 0
	} else {
		s.pause = min(2*s.pause+1, shiftPause)
	}
	s.hits, s.wait = 0, s.pause
	s.shift = p.shiftAt(old, moved-old)
	return moved, ok
}

// shiftAt returns which addresses around one go as far as it for the same reason; none where a move is the reason, or
// where loads overlap.
func (p *Program) shiftAt(old, by int64) shift {
	k := slices.IndexFunc(p.OldLoads, func(l Load) bool { return old >= l.Address && old < l.Address+l.Memory })
	if k < 0 {
		return shift{}
	}
	s, l, ok := shift{by: by}, p.OldLoads[k], true
	if at := old - l.Address; at < l.Size {
		s.from, s.to = l.Address, l.Address+l.Size
		ok = p.clipToSpan(&s, l.Offset+at, l.Address-l.Offset)
	} else {
		s.from, s.to = l.Address+l.Size, l.Address+l.Memory
		n := upTo(p.Anchors, old)
		s.clipAround(n, len(p.Anchors), func(i int) (int64, int64) { return p.Anchors[i].Old, p.Anchors[i].Old })
	}
	if !ok || slices.ContainsFunc(p.OldLoads[:k], func(l Load) bool { return l.Address < s.to && s.from < l.Address+l.Memory }) {
		return shift{}
	}
	n, moved := p.moved.place(old)
	if moved {
		return shift{}
	}
	s.clipAround(n, len(p.moved.list), func(i int) (int64, int64) { return p.moved.list[i].Old, p.moved.list[i].Old + 1 })
	return s
}

// clipAround clips a shift to what lies between the end of the one before number n and the beginning of number n.
func (s *shift) clipAround(n, count int, of func(i int) (from, to int64)) {
	if n > 0 {
		_, end := of(n - 1)
		s.from = max(s.from, end)
	}
	if n < count {
		start, _ := of(n)
		s.to = min(s.to, start)
	}
}

// clipToSpan clips a shift of the bytes around an offset of the old file, whose addresses are more by as much as base, to
// those that the same span puts into the same load of the new program.
func (p *Program) clipToSpan(s *shift, at, base int64) bool {
	n := p.spansUpTo(at)
	span := p.nearest(n)
	if n > 0 && at < p.byOld[n-1].Old+p.byOld[n-1].Size {
		span = p.byOld[n-1]
		s.clip(span.Old+base, span.Old+span.Size+base)
	} else {
		s.clipAround(n, len(p.byOld), func(i int) (int64, int64) { return p.byOld[i].Old + base, p.byOld[i].Old + p.byOld[i].Size + base })
	}
	back := span.Old - span.New + base // from an offset of the new file to an old address
	new := at + base - back
	k := slices.IndexFunc(p.NewLoads, func(l Load) bool { return new >= l.Offset && new < l.Offset+l.Size })
	if k < 0 {
		return false
	}
	s.clip(p.NewLoads[k].Offset+back, p.NewLoads[k].Offset+p.NewLoads[k].Size+back)
	return !slices.ContainsFunc(p.NewLoads[:k], func(l Load) bool { return l.Offset+back < s.to && s.from < l.Offset+l.Size+back })
}
