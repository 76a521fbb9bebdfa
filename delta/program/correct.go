package program

import "slices"

// Corrector is given projected bytes in their order and makes them what they are to be.
type Corrector interface {
	// Instruction corrects an x86-64 instruction.
	Instruction(u *Unit)
	// Data corrects bytes of a region of a kind, or of none.
	Data(b []byte, at Place)
}

// Place says where bytes come from and go to.
type Place struct {
	Old, New int64 // offsets in the files
	Kind     Kind  // of region, or NoRegion
	Offset   int64 // in the region
}

// NoRegion stands for the kind of what lies in no region. It has a number in patches, as kinds have.
const NoRegion Kind = 31

// Unit is an instruction as projected.
type Unit struct {
	Place
	Bytes      []byte
	ModRM      int // offset, 0: none
	Disp       int // of a displacement of 32 bits, 0: none
	Imm        int // 0: none
	References [2]Reference
	Count      int // of references
}

// Reference is a reference in an instruction.
type Reference struct {
	At, Width int   // in the instruction
	Target    int64 // old address
	Moved     int64 // the new one that projection says
	Known     bool  // Moved means something
	Origin    int64 // address that the new one counts from
}

// refer notes a reference of the instruction in hand for the corrector; at counts from the window's
// beginning until the instruction is known.
func (p *Program) refer(at int64, width int, target, origin, moved int64, ok bool) {
	if p.Corrector == nil || p.fixing.Count == len(p.fixing.References) {
		return
	}
	p.fixing.References[p.fixing.Count] = Reference{int(at), width, target, moved, ok, origin}
	p.fixing.Count++
}

// correctInstruction gives the corrector an instruction at w.b[i].
func (p *Program) correctInstruction(r *Region, w *window, i int, in instruction) {
	u := &p.fixing
	u.Place = Place{w.old + int64(i), w.new + int64(i), r.Kind, w.old + int64(i) - r.Offset}
	u.Bytes, u.ModRM, u.Disp, u.Imm = w.b[i:i+in.size], in.modrm, in.disp, in.imm
	for k := range u.References[:u.Count] {
		u.References[k].At -= i
	}
	p.Corrector.Instruction(u)
	u.Count = 0
}

// correctData gives the corrector w.b[from:to].
func (p *Program) correctData(r *Region, w *window, from, to int) {
	if p.Corrector == nil || from >= to {
		return
	}
	at := Place{w.old + int64(from), w.new + int64(from), NoRegion, 0}
	if r != nil {
		at.Kind, at.Offset = r.Kind, at.Old-r.Offset
	}
	p.Corrector.Data(w.b[from:to], at)
}

// Cover says how well spans tell where an old address went.
type Cover struct {
	Count  int   // of spans that have it, at most 3
	Other  int64 // new address by another span than the one that counts, the nearest to an origin
	Before int64 // bytes of the span before it
	After  int64 // and behind it
}

// Covered looks for what spans have an old address whose new address is taken to be moved.
func (p *Program) Covered(old, moved, origin int64) (c Cover) {
	at, ok := offset(p.OldLoads, old)
	if !ok || at < 0 {
		return c
	}
	if p.sorted == nil {
		p.sorted = slices.Clone(p.Spans)
		slices.SortStableFunc(p.sorted, func(a, b Span) int { return compare(a.Old, b.Old) })
	}
	n, _ := slices.BinarySearchFunc(p.sorted, at, func(s Span, at int64) int { return compare(s.Old, at+1) })
	best := int64(maxAddress)
	for i := n - 1; i >= max(0, n-24); i-- {
		s := p.sorted[i]
		if at >= s.Old+s.Size {
			continue
		}
		to, _ := address(p.NewLoads, s.New+at-s.Old)
		if c.Count < 3 {
			c.Count++
		}
		if to == moved {
			c.Before, c.After = at-s.Old, s.Old+s.Size-at
			continue
		}
		if d := max(to-origin, origin-to); d < best {
			best, c.Other = d, to
		}
	}
	return c
}

// OldOffset returns where an old address is in the file, or -1.
func (p *Program) OldOffset(a int64) int64 {
	if o, ok := offset(p.OldLoads, a); ok {
		return o
	}
	return -1
}

// NewOffset returns where an address is in the new file, or -1.
func (p *Program) NewOffset(a int64) int64 {
	if o, ok := offset(p.NewLoads, a); ok {
		return o
	}
	return -1
}

// NewAddress returns where an offset of the new file is in memory; it is not ok if it is not there.
func (p *Program) NewAddress(at int64) (int64, bool) { return address(p.NewLoads, at) }
