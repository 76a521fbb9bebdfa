package program

import "encoding/binary"

// within tells whether an address lies in region r of the old program.
func (p *Program) within(r *Region, address int64) bool {
	at, ok := offset(p.OldLoads, address)
	return ok && at >= r.Offset && at < r.Offset+r.Size
}

// codeTarget returns where an address that code refers to went, or blank where references are to be
// blanked out.
func (p *Program) codeTarget(old, blank int64) (int64, bool) {
	if p.mask {
		_, ok := offset(p.OldLoads, old)
		return blank, ok
	}
	return p.Target(old)
}

// ripOpcodes are the opcodes, or second bytes of those that begin with 0F, in front of a ModRM byte
// that addresses relative to the next instruction, as compilers write them.
var ripOpcodes = func() (t [256]bool) {
	for _, c := range []byte{
		0x01, 0x03, 0x09, 0x0b, 0x21, 0x23, 0x29, 0x2b, 0x31, 0x33, 0x38, 0x39, 0x3a, 0x3b, 0x63, 0x80, 0x81, 0x83,
		0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8d, 0xc6, 0xc7, 0xf6, 0xf7, 0xff, 0x10, 0x11, 0x28, 0x2e, 0x2f,
		0x51, 0x54, 0x57, 0x58, 0x59, 0x5c, 0x5e, 0x6e, 0x6f, 0x7e, 0x7f, 0xaf, 0xb0, 0xb1, 0xb6, 0xb7, 0xbe, 0xbf, 0xc0, 0xc1, 0xd6, 0xef,
	} {
		t[c] = true
	}
	return t
}()

// amd64 projects calls, jumps and addresses relative to the next instruction that begin in the first
// n bytes of b.
func (p *Program) amd64(r *Region, b []byte, n int, before byte, from, to int64) (int, byte) {
	i := 0
	for i < n {
		at, near := 0, true
		switch c := b[i]; {
		case c == 0xe8 || c == 0xe9:
			at = i + 1
		case c == 0x0f && i+1 < len(b) && b[i+1]&0xf0 == 0x80:
			at = i + 2
		case c&0xc7 == 0x05 && ripOpcodes[before]:
			at, near = i+1, false
		}
		if at == 0 || at+4 > len(b) || !p.relative(r, b[at:at+4], from+int64(at), to+int64(at), near) {
			before = b[i]
			i++
			continue
		}
		i, before = at+4, 0
	}
	return i, before
}

// relative projects a 32-bit displacement from its own end. A near one has to stay in its region.
func (p *Program) relative(r *Region, b []byte, from, to int64, near bool) bool {
	target := from + 4 + int64(int32(binary.LittleEndian.Uint32(b)))
	if near && !p.within(r, target) {
		return false
	}
	moved, ok := p.codeTarget(target, to+4)
	if !ok {
		return false
	}
	binary.LittleEndian.PutUint32(b, uint32(moved-to-4))
	return true
}

// arm64 projects branches, and pairs of ADRP and what adds the low bits, that begin in the first n
// bytes of b.
func (p *Program) arm64(r *Region, b []byte, n int, from, to int64) int {
	i := int(-from & 3)
	for i < n && i+4 <= len(b) {
		w := binary.LittleEndian.Uint32(b[i:])
		pc, npc := from+int64(i), to+int64(i)
		switch {
		case w&0x7c000000 == 0x14000000: // B, BL
			w = p.branch(r, w, pc, npc, 0, 26)
		case w&0xff000010 == 0x54000000 || w&0x7e000000 == 0x34000000: // B.cond, CBZ, CBNZ
			w = p.branch(r, w, pc, npc, 5, 19)
		case w&0x7e000000 == 0x36000000: // TBZ, TBNZ
			w = p.branch(r, w, pc, npc, 5, 14)
		case w&0x9f000000 == 0x90000000 && i+8 <= len(b): // ADRP
			if p.pair(b[i:i+8], pc, npc) {
				i += 8
				continue
			}
		}
		binary.LittleEndian.PutUint32(b[i:], w)
		i += 4
	}
	if i+4 > len(b) {
		return len(b)
	}
	return i
}

// branch projects the displacement in words that stands in width bits of w from bit shift on.
func (p *Program) branch(r *Region, w uint32, pc, npc int64, shift, width uint) uint32 {
	mask := uint32(1)<<width - 1
	words := int64(int32(w>>shift&mask<<(32-width)) >> (32 - width))
	target := pc + words*4
	if !p.within(r, target) {
		return w
	}
	moved, ok := p.codeTarget(target, npc)
	if !ok {
		return w
	}
	return w&^(mask<<shift) | uint32((moved-npc)>>2)&mask<<shift
}

// pair projects the address that ADRP and the next instruction make.
func (p *Program) pair(b []byte, pc, npc int64) bool {
	adrp, low := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if low>>5&31 != adrp&31 {
		return false
	}
	scale := uint(0)
	switch {
	case low&0xffc00000 == 0x91000000: // ADD
	case low&0x3b000000 == 0x39000000: // LDR, STR
		scale = uint(low >> 30)
		if low&0x04800000 == 0x04800000 {
			scale = 4
		}
	default:
		return false
	}
	pages := int64(int32((adrp>>5&0x7ffff<<2|adrp>>29&3)<<11) >> 11)
	target := pc&^0xfff + pages<<12 + int64(low>>10&0xfff)<<scale
	moved, ok := p.codeTarget(target, npc&^0xfff)
	if !ok || moved&(1<<scale-1) != 0 {
		return false
	}
	pages = moved>>12 - npc>>12
	adrp = adrp&0x9f00001f | uint32(pages&3)<<29 | uint32(pages>>2&0x7ffff)<<5
	low = low&^(0xfff<<10) | uint32(moved&0xfff>>scale)<<10
	binary.LittleEndian.PutUint32(b, adrp)
	binary.LittleEndian.PutUint32(b[4:], low)
	return true
}

// pointers projects 64-bit addresses.
func (p *Program) pointers(b []byte, from int64) {
	for i := int(-from & 7); i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		if v >= maxAddress {
			continue
		}
		if moved, ok := p.Target(int64(v)); ok {
			binary.LittleEndian.PutUint64(b[i:], uint64(moved))
		}
	}
}
