package program

import "encoding/binary"

// reach is how many instructions behind ADRP may add the low bits to its page.
const reach = 31

// lowBits is what an instruction becomes that adds low bits, and where it stands in the old file.
type lowBits struct {
	at int64
	to uint32
}

// arm64 projects branches, and ADRP with what adds the low bits. It returns how many bytes are done.
func (p *Program) arm64(r *Region, w *window) int {
	i := p.pagesBefore(w, int(-w.from&3))
	for ; i < w.n && i+4 <= len(w.b); i += 4 {
		in := binary.LittleEndian.Uint32(w.b[i:])
		switch shift, width := branchField(in); {
		case width > 0:
			p.branch(r, w, i, shift, width)
		case in&0x9f000000 == 0x90000000:
			p.page(w, i)
		default:
			p.lowBits(w, i)
		}
	}
	if i+4 > len(w.b) {
		return len(w.b)
	}
	return i
}

// pagesBefore looks for the ADRPs before a part, from w.b[i] on, that others in it add low bits to. It returns where the
// part's instructions begin.
func (p *Program) pagesBefore(w *window, i int) int {
	learn := p.learn
	p.learn = nil // has seen them
	for ; i < w.skip; i += 4 {
		if binary.LittleEndian.Uint32(w.b[i:])&0x9f000000 == 0x90000000 {
			p.page(w, i)
		}
	}
	p.learn = learn
	return i
}

// lowBits changes the instruction at w.b[i] if an ADRP before it said so.
func (p *Program) lowBits(w *window, i int) {
	for k, l := range p.lows {
		if l.at == w.old+int64(i) {
			binary.LittleEndian.PutUint32(w.b[i:], l.to)
			p.lows = append(p.lows[:k], p.lows[k+1:]...)
			return
		}
	}
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

// lowField returns by how many bits an instruction's 12 low bits are scaled, if it adds them to a
// register, and whether it changes that register.
func lowField(low, register uint32) (scale uint, last, ok bool) {
	if low>>5&31 != register {
		return 0, false, false
	}
	switch {
	case low&0xffc00000 == 0x91000000: // ADD
		return 0, low&31 == register, true
	case low&0x3b000000 == 0x39000000: // LDR, STR
		scale = uint(low >> 30)
		if low&0x04800000 == 0x04800000 {
			scale = 4
		}
		return scale, low&0x04c00000 == 0x00400000 && low&31 == register, true
	}
	return 0, false, false
}

// address12 returns the address that ADRP at pc and low bits make.
func address12(adrp, low uint32, scale uint, pc int64) int64 {
	pages := int64(int32((adrp>>5&0x7ffff<<2|adrp>>29&3)<<11) >> 11)
	return pc&^0xfff + pages<<12 + int64(low>>10&0xfff)<<scale
}

// ends tells whether control never goes on behind an instruction: B, BR, RET.
func ends(in uint32) bool { return in&0xfc000000 == 0x14000000 || in&0xffbffc1f == 0xd61f0000 }

// page projects the addresses that the ADRP at w.b[i] and those make that add the low bits to its
// register. They all have to be on one page where they go.
func (p *Program) page(w *window, i int) {
	adrp := binary.LittleEndian.Uint32(w.b[i:])
	register, origin := adrp&31, w.to+int64(i)
	page, known := int64(0), false
	for k := i + 4; k <= i+4*reach && k+4 <= len(w.b); k += 4 {
		low := binary.LittleEndian.Uint32(w.b[k:])
		if ends(low) || low&0x9f00001f == 0x90000000|register {
			break
		}
		scale, last, ok := lowField(low, register)
		if !ok {
			continue
		}
		moved, ok := p.pair(w, i, k, scale)
		if ok && moved&(1<<scale-1) == 0 && (!known || moved>>12 == page) {
			page, known = moved>>12, true
			p.lows = append(p.lows, lowBits{w.old + int64(k), low&^(0xfff<<10) | uint32(moved&0xfff>>scale)<<10})
		}
		if last {
			break
		}
	}
	if known {
		pages := page - origin>>12
		binary.LittleEndian.PutUint32(w.b[i:], adrp&0x9f00001f|uint32(pages&3)<<29|uint32(pages>>2&0x7ffff)<<5)
	}
}

// pair returns where the address goes that the instructions at w.b[i] and w.b[k] make.
func (p *Program) pair(w *window, i, k int, scale uint) (int64, bool) {
	pc, origin := w.from+int64(i), w.to+int64(i)
	adrp, low := binary.LittleEndian.Uint32(w.b[i:]), binary.LittleEndian.Uint32(w.b[k:])
	target := address12(adrp, low, scale, pc)
	moved, ok := p.target(target, origin&^0xfff)
	if p.learn != nil {
		at := w.new + int64(i)
		nowADRP, nowLow := binary.LittleEndian.Uint32(p.learn.new[at:]), binary.LittleEndian.Uint32(p.learn.new[at+int64(k-i):])
		if (nowADRP^adrp)&0x9f00001f == 0 && (nowLow^low)&^(0xfff<<10) == 0 {
			actual := address12(nowADRP, nowLow, scale, origin)
			p.learn.vote(target, actual, ok && actual == moved)
		}
	}
	return moved, ok
}

// target returns where an address that code refers to went, or, in another view, what shows it.
func (p *Program) target(old, origin int64) (int64, bool) {
	if p.view != projected {
		moved, ok := p.viewed(old)
		return origin + moved, ok
	}
	return p.Target(old)
}
