package program

import "encoding/binary"

// executable tells whether an address lies in code of the old program.
func (p *Program) executable(r *Region, address int64) bool {
	at, ok := offset(p.OldLoads, address)
	if !ok {
		return false
	}
	if at < r.Offset || at >= r.Offset+r.Size {
		r, _ = p.regionAt(at)
	}
	return r != nil && (r.Kind == CodeAMD64 || r.Kind == CodeARM64 || r.Kind == CodeFixed)
}

// amd64 projects the addresses that instructions name: branches, what they address relative to their
// end and, where the program has a fixed place in memory, absolute addresses.
func (p *Program) amd64(r *Region, w *window) {
	dull := uint8(quickFixed)
	if r.Kind == CodeFixed {
		dull = 0
	}
	b := w.b
	for i := 0; i < w.n; {
		k := uint(w.first + i)
		w.starts[k/64] |= 1 << (k % 64)
		if len(b)-i >= maxCommon {
			at := (*[maxCommon]byte)(b[i:])
			switch v := quick(at) &^ dull; {
			case v <= quickSize:
				i += int(v)
				continue
			case v < quickFixed:
				p.instruction(r, w, i, referring(at, v&quickSize))
				i += int(v & quickSize)
				continue
			}
		}
		in, ok := decode(b[i:])
		if !ok {
			if len(b)-i < MaxInstruction {
				return
			}
			i++
			continue
		}
		p.instruction(r, w, i, in)
		i += in.size
	}
}

func (p *Program) instruction(r *Region, w *window, i int, in instruction) {
	end := int64(i + in.size)
	switch in.immKind {
	case branch8:
		v := int64(int8(w.b[end-1]))
		if moved, ok := p.reference(w, end-1, 1, w.from+end+v, w.to+end); ok && (p.view != projected || moved == int64(int8(moved))) {
			w.b[end-1] = byte(moved)
		}
	case branch32:
		v := w.from + end + word(w.b[end-4:])
		if p.executable(r, v) {
			if moved, ok := p.reference(w, end-4, 4, v, w.to+end); ok {
				putWord(w.b[end-4:], moved)
			}
		}
	case immWord, immFull:
		if r.Kind == CodeFixed && in.size-in.imm == 4 {
			p.fixed(w, int64(i+in.imm))
		}
	}
	switch at := int64(i + in.disp); {
	case in.disp == 0:
	case in.relative:
		if moved, ok := p.reference(w, at, 4, w.from+end+word(w.b[at:]), w.to+end); ok {
			putWord(w.b[at:], moved)
		}
	case r.Kind == CodeFixed:
		p.fixed(w, at)
	}
}

// fixed projects an absolute address of 32 bits.
func (p *Program) fixed(w *window, at int64) {
	if moved, ok := p.reference(w, at, 4, word(w.b[at:]), 0); ok {
		putWord(w.b[at:], moved)
	}
}

func word(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }

func putWord(b []byte, v int64) { binary.LittleEndian.PutUint32(b, uint32(v)) }

// reference returns what a reference to target, of width bytes at b[at], has to say in the new
// program, where it counts from an origin.
func (p *Program) reference(w *window, at int64, width int, target, origin int64) (int64, bool) {
	if p.view != projected {
		return p.viewed(target)
	}
	moved, ok := p.Target(target)
	if p.learn != nil {
		actual := origin + int64(int8(p.learn.new[w.new+at]))
		if width == 4 {
			actual = origin + word(p.learn.new[w.new+at:])
		}
		p.learn.vote(target, actual, ok && actual == moved)
	}
	if p.noting {
		p.refer(at, width, target, origin, moved, ok)
	}
	return moved - origin, ok
}

// viewed returns what stands for a reference in the program's view.
func (p *Program) viewed(target int64) (int64, bool) {
	if p.view == blank || p.self {
		_, ok := offset(p.OldLoads, target)
		if p.view == blank {
			target = 0
		}
		return target, ok
	}
	return p.Target(target)
}

// Within returns a bit for each byte of the old file, the lowest first: whether it is inside of an
// instruction of x86-64, behind its first byte. It is nil if the program has none.
func (p *Program) Within() ([]uint64, error) {
	var bits []uint64
	for _, r := range p.Regions {
		if r.Kind != CodeAMD64 && r.Kind != CodeFixed {
			continue
		}
		if bits == nil {
			bits = make([]uint64, (p.Size+63)/64)
		}
		code := make([]byte, r.Size)
		if n, err := p.Old.ReadAt(code, r.Offset); n < len(code) {
			return nil, err
		}
		for at := 0; at < len(code); {
			in, ok := decode(code[at:])
			if !ok {
				in.size = 1
			}
			for i := int(r.Offset) + at + 1; i < int(r.Offset)+at+in.size; i++ {
				bits[i/64] |= 1 << (i % 64)
			}
			at += in.size
		}
	}
	return bits, nil
}
