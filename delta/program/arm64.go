package program

import "encoding/binary"

// arm64 projects branches, and pairs of ADRP and what adds the low bits.
func (p *Program) arm64(r *Region, w *window) int {
	i := int(-w.from & 3)
	for i < w.n && i+4 <= len(w.b) {
		if shift, width := branchField(binary.LittleEndian.Uint32(w.b[i:])); width > 0 {
			p.branch(r, w, i, shift, width)
		} else if i+8 <= len(w.b) && p.pair(w, i) {
			i += 4
		}
		i += 4
	}
	if i+4 > len(w.b) {
		return len(w.b)
	}
	return i
}

// branchField returns where in an instruction the displacement stands, in words, if it is a branch.
func branchField(w uint32) (shift, width uint) {
	switch {
	case w&0x7c000000 == 0x14000000: // B, BL
		return 0, 26
	case w&0xff000010 == 0x54000000 || w&0x7e000000 == 0x34000000: // B.cond, CBZ, CBNZ
		return 5, 19
	case w&0x7e000000 == 0x36000000: // TBZ, TBNZ
		return 5, 14
	}
	return 0, 0
}

func (p *Program) branch(r *Region, w *window, i int, shift, width uint) {
	in := binary.LittleEndian.Uint32(w.b[i:])
	mask := uint32(1)<<width - 1
	distance := func(in uint32) int64 { return int64(int32(in>>shift&mask<<(32-width))>>(32-width)) * 4 }
	target, origin := w.from+int64(i)+distance(in), w.to+int64(i)
	if !p.executable(r, target) {
		return
	}
	moved, ok := p.target(target, origin)
	if p.learn != nil {
		if now := binary.LittleEndian.Uint32(p.learn.new[w.new+int64(i):]); (now^in)&^(mask<<shift) == 0 {
			p.learn.vote(target, origin+distance(now), ok && moved == origin+distance(now))
		}
	}
	if ok {
		binary.LittleEndian.PutUint32(w.b[i:], in&^(mask<<shift)|uint32((moved-origin)>>2)&mask<<shift)
	}
}

// address12 returns what ADRP at pc and the instruction that adds the low bits address, and by how
// many bits the latter scales; it is not ok if they are no such pair.
func address12(adrp, low uint32, pc int64) (target int64, scale uint, ok bool) {
	if adrp&0x9f000000 != 0x90000000 || low>>5&31 != adrp&31 {
		return 0, 0, false
	}
	switch {
	case low&0xffc00000 == 0x91000000: // ADD
	case low&0x3b000000 == 0x39000000: // LDR, STR
		scale = uint(low >> 30)
		if low&0x04800000 == 0x04800000 {
			scale = 4
		}
	default:
		return 0, 0, false
	}
	pages := int64(int32((adrp>>5&0x7ffff<<2|adrp>>29&3)<<11) >> 11)
	return pc&^0xfff + pages<<12 + int64(low>>10&0xfff)<<scale, scale, true
}

// pair projects the address that ADRP and the next instruction make.
func (p *Program) pair(w *window, i int) bool {
	adrp, low := binary.LittleEndian.Uint32(w.b[i:]), binary.LittleEndian.Uint32(w.b[i+4:])
	pc, origin := w.from+int64(i), w.to+int64(i)
	target, scale, ok := address12(adrp, low, pc)
	if !ok {
		return false
	}
	moved, ok := p.target(target, origin&^0xfff)
	if p.learn != nil {
		now := p.learn.new[w.new+int64(i):]
		if actual, _, same := address12(binary.LittleEndian.Uint32(now), binary.LittleEndian.Uint32(now[4:]), origin); same {
			p.learn.vote(target, actual, ok && actual == moved)
		}
	}
	if !ok || moved&(1<<scale-1) != 0 {
		return false
	}
	pages := moved>>12 - origin>>12
	adrp = adrp&0x9f00001f | uint32(pages&3)<<29 | uint32(pages>>2&0x7ffff)<<5
	low = low&^(0xfff<<10) | uint32(moved&0xfff>>scale)<<10
	binary.LittleEndian.PutUint32(w.b[i:], adrp)
	binary.LittleEndian.PutUint32(w.b[i+4:], low)
	return true
}

// target returns where an address that code refers to went, or, in another view, what shows it.
func (p *Program) target(old, origin int64) (int64, bool) {
	if p.view != projected {
		moved, ok := p.viewed(old)
		return origin + moved, ok
	}
	return p.Target(old)
}
