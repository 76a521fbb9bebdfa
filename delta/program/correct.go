package program

import "slices"

// Corrector makes projected bytes what they are to be.
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

// refer notes a reference for the unit in hand.
func (p *Program) refer(at int64, width int, target, origin, moved int64, ok bool) {
	if u := &p.noted; u.Count < len(u.References) {
		u.References[u.Count] = Reference{int(at), width, target, moved, ok, origin}
		u.Count++
	}
}

// Correct gives a corrector what begins in bytes [from, to) of a part: instructions of x86-64 and, as data, the rest.
func (p *Program) Correct(t *Part, from, to int, c Corrector) {
	for from < to {
		at := t.Old + int64(from)
		r, end := p.regionAt(at)
		stop := int(min(int64(to), end-t.Old))
		place := Place{at, t.New + int64(from), NoRegion, 0}
		if r != nil {
			place.Kind, place.Offset = r.Kind, at-r.Offset
		}
		if r == nil || !r.amd64() || !p.correctCode(t, r, from, stop, c) {
			c.Data(t.Bytes[from:stop], place)
		}
		from = stop
	}
}

// correctCode gives a corrector the instructions that begin in bytes [from, to) of a part, which lie in a region of them.
// It returns false if they are not told apart.
func (p *Program) correctCode(t *Part, r *Region, from, to int, c Corrector) bool {
	start := int(max(0, r.Offset-t.Old))
	w := p.window(t, start, r, r.Offset+r.Size)
	if !w.mapped {
		return false
	}
	end := start + len(w.b)
	for i := from; i < to; i++ {
		if t.starts[i/64]>>(i%64)&1 == 0 {
			continue
		}
		at := Place{t.Old + int64(i), t.New + int64(i), r.Kind, t.Old + int64(i) - r.Offset}
		in, ok := decode(t.Raw[i:end])
		switch {
		case ok:
			c.Instruction(p.unitAt(r, w, t, in, at))
		case end-i < MaxInstruction:
			c.Data(t.Bytes[i:end], at)
			return true
		default:
			c.Data(t.Bytes[i:i+1], at)
		}
	}
	return true
}

// unitAt projects an instruction of a part once more, to tell of its references.
func (p *Program) unitAt(r *Region, w *window, t *Part, in instruction, at Place) *Unit {
	i := int(at.New - t.New)
	p.noted = Unit{Place: at, Bytes: t.buf[t.lead+i:][:in.size], ModRM: in.modrm, Disp: in.disp, Imm: in.imm}
	far := at.Old - w.old
	again := window{b: p.again[:in.size], old: at.Old, new: at.New, from: w.from + far, to: w.to + far}
	copy(again.b, t.Raw[i:])
	p.noting = true
	p.instruction(r, &again, 0, in)
	p.noting = false
	return &p.noted
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
		p.sorted = make([]Span, 0, len(p.Spans))
		inOldOrder(p.Spans, func(s Span) { p.sorted = append(p.sorted, s) })
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
