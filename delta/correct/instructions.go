package correct

import (
	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// instruction is what is known of one that may change.
type instruction struct {
	*program.Unit
	want    []byte // what it is to be, if known
	refs    [2]reference
	fixed   [program.MaxInstruction]bool // bytes that are no reference's
	opcode  uint32
	modrm   uint32 // 256: none
	whole   uint32 // hash of all bytes but references'
	state   uint32 // of the first reference; 0: none
	place   uint32 // of what it refers to among spans
	changed uint32 // whether it changes
	other   uint32 // whether anything else than references changes
}

// Instruction corrects an instruction.
func (x *Codec) Instruction(u *program.Unit) {
	c := &x.changes
	in := &instruction{Unit: u, want: c.want(u.New, len(u.Bytes))}
	in.describe(c)
	x.change(in)
	if in.changed == 0 {
		*c.lastAt(in.whole) = 0
		c.same(u)
		return
	}
	c.hit = 1
	*c.lastAt(in.whole) = 1
	if wrong := x.references(in); wrong > 0 {
		in.other = x.d.Decide(in.other, &mix.Contexts{of2(anOther, in.opcode), of2(anOther, in.whole), of2(anOther, in.state), of2(anOther, c.history&7)}, 6)
	} else {
		in.other = 1
	}
	if in.other == 1 {
		x.fields(in)
	}
}

// same takes note of an instruction that stays as it is.
func (c *changes) same(u *program.Unit) {
	for i := range u.References[:u.Count] {
		c.learn(u, &u.References[i])
	}
	c.history <<= 1
}

// describe finds out what is known of an instruction.
func (in *instruction) describe(c *changes) {
	for i := range in.fixed {
		in.fixed[i] = true
	}
	for i := range in.References[:in.Count] {
		r := &in.References[i]
		in.refs[i] = c.reference(r, in.want)
		for k := range r.Width {
			in.fixed[r.At+k] = false
		}
	}
	if in.Count > 0 {
		in.state, in.place = in.refs[0].state+1, in.refs[0].place
	}
	n := len(in.Bytes)
	switch {
	case in.ModRM > 0:
		n = in.ModRM
	case in.Imm > 0:
		n = in.Imm
	}
	for _, b := range in.Bytes[:n] {
		in.opcode = in.opcode<<8 | uint32(b)
	}
	if in.modrm = 256; in.ModRM > 0 {
		in.modrm = uint32(in.Bytes[in.ModRM])
	}
	for i, b := range in.Bytes {
		if in.fixed[i] {
			in.whole = (in.whole ^ uint32(b)) * 0x9e3779b1
			in.whole ^= in.whole >> 15
		}
		if in.want != nil && b != in.want[i] {
			in.changed = 1
			in.other |= bit(in.fixed[i])
		}
	}
}

// change codes whether an instruction changes.
func (x *Codec) change(in *instruction) {
	c := &x.changes
	from := min(size(in.New-c.copy.New), 7)
	left := min(size(c.copy.New+c.copy.Size-in.New-int64(len(in.Bytes))), 7)
	refers := bit(in.state > 0)
	in.changed = x.d.Decide(in.changed, &mix.Contexts{of4(aChange, in.opcode, in.modrm>>3, in.state), of4(aChange, in.state, in.place, c.hit),
		of5(aChange, from, left, in.opcode, refers), of3(aChange, uint32(*c.lastAt(in.whole)), in.whole)}, 256+int(min(in.state, 127)))
	c.history = c.history<<1 | in.changed
	if in.changed == 0 {
		c.history >>= 1 // same counts it
	}
}

// Roles of bytes of an instruction.
const (
	first = iota
	opcode
	modRM
	sib
	disp32            // and so on for each byte
	imm    = iota + 3 // the same
	disp8  = 20
)

// role tells what byte i of an instruction is.
func (in *instruction) role(i int) uint32 {
	switch {
	case i == 0:
		return first
	case in.Imm > 0 && i >= in.Imm:
		return imm + uint32(i-in.Imm)
	case in.Disp > 0 && i >= in.Disp:
		return disp32 + uint32(i-in.Disp)
	case in.ModRM == 0 || i < in.ModRM:
		return opcode
	case i == in.ModRM:
		return modRM
	case i == in.ModRM+1 && in.modrm&7 == 4 && in.modrm>>6 != 3:
		return sib
	}
	return disp8
}

// fields codes the bytes of an instruction that are no reference's.
func (x *Codec) fields(in *instruction) {
	c := &x.changes
	done, delta, before := uint32(0), uint32(0), uint32(0)
	for i, b := range in.Bytes {
		if !in.fixed[i] {
			continue
		}
		role, old, want := in.role(i), uint32(b), byte(0)
		if in.want != nil {
			want = in.want[i]
		}
		key := of3(aField, role, old)
		last := uint32(*c.lastAt(key))
		changed := x.d.Decide(bit(want != b), &mix.Contexts{of4(aField, role, done, in.opcode), of4(aField, role, done, old),
			of5(aField, role, done, last, old), of5(aField, role, done, before, uint32(len(in.Bytes)-i))}, 400+int(role))
		if changed == 0 {
			*c.lastAt(key) = 0
			done, before = (done<<1&7)|done&8, old
			continue
		}
		done = done<<1&7 | 9
		want = x.d.Byte(want, &mix.Contexts{of3(aValue, role, old), of4(aValue, role, last, old), of3(aValue, delta, old), of2(aValue, role)}, 424+int(role))
		*c.lastAt(key) = uint16(want) + 1
		delta, before = uint32(want-b), uint32(want)
		in.Bytes[i] = want
	}
}
