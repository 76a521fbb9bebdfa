package program

import (
	"encoding/binary"
	"slices"
)

// ref is a reference in a table of the old file.
type ref struct {
	pos  uint32 // its offset
	how  how
	base uint8
}

// how a reference names its target.
type how uint8

const (
	fromBase   how = iota // 32 bits, signed, from a base
	fromBase4             // the same, counting in fours
	fromSelf              // 32 bits, signed, from the reference itself
	behindSelf            // 32 bits, from the target to the reference
	absolute              // 64 bits
	function              // 32 bits, signed, from the reference itself, then the length of what is there
	symbol                // 64 bits, then the length of what is there, in 64 bits
	entry                 // 32 bits: a symbol's number, its table being the base; 0: none
	fromUnit              // 32 bits, from where the unit of .debug_info begins
)

func (h how) width() int {
	switch h {
	case symbol:
		return 16
	case absolute, function:
		return 8
	}
	return 4
}

// tables projects the references of tables that begin in w.b[:w.n], and returns where the last of
// them ends, or w.n.
func (p *Program) tables(w *window) int {
	n := w.n
	i, _ := slices.BinarySearchFunc(p.refs, w.old, func(r ref, at int64) int { return compare(int64(r.pos), at) })
	for ; i < len(p.refs); i++ {
		r := p.refs[i]
		at := int64(r.pos) - w.old
		if at >= int64(w.n) {
			break
		}
		end := int(at) + r.how.width()
		if end > len(w.b) {
			break
		}
		n = max(n, end)
		p.projectRef(r, w, at)
	}
	return n
}

// symbolSize is how many bytes a symbol takes, Elf64_Sym.
const symbolSize = 24

func (p *Program) projectRef(r ref, w *window, at int64) {
	switch r.how {
	case symbol:
		p.symbol(w, at)
		return
	case absolute:
		p.pointer(w, at)
		return
	}
	b := w.b[at:]
	v := word(b)
	var target, origin int64
	scale := int64(1)
	switch r.how {
	case entry:
		if v <= 0 {
			return
		}
		scale = symbolSize
		target, origin = p.Bases[r.base].Old+v*scale, p.Bases[r.base].New
	case fromBase4:
		scale = 4
		fallthrough
	case fromBase:
		target, origin = p.Bases[r.base].Old+v*scale, p.Bases[r.base].New
	case fromUnit:
		var ok bool
		if target, origin, ok = p.unit(int64(r.pos)); !ok {
			return
		}
		target += v
	case fromSelf, function:
		if v == 0 {
			return
		}
		target, origin = w.from+at+v, w.to+at
	case behindSelf:
		target, origin, scale = w.from+at-v, w.to+at, -1
	}
	if p.view == targets && (r.how == fromSelf || r.how == behindSelf || r.how == function) {
		p.viewRef(r, b, target)
		return
	}
	moved, ok := p.Target(target)
	if p.learn != nil {
		actual := origin + word(p.learn.new[w.new+at:])*scale
		p.learn.vote(target, actual, ok && actual == moved)
	}
	if ok && (r.how != entry || (moved-origin)%scale == 0) {
		putWord(b, (moved-origin)/scale)
	}
	if r.how == function {
		p.length(b[4:], target, moved, ok)
	}
}

// unit returns where the unit of .debug_info begins that an offset lies in, before and after.
func (p *Program) unit(at int64) (old, new int64, ok bool) {
	n, _ := slices.BinarySearch(p.units, uint32(at)+1)
	if n == 0 {
		return 0, 0, false
	}
	if old, ok = address(p.OldLoads, int64(p.units[n-1])); ok {
		new, ok = p.Target(old)
	}
	return old, new, ok
}

// symbol projects a symbol's value and size.
func (p *Program) symbol(w *window, at int64) {
	old := int64(binary.LittleEndian.Uint64(w.b[at:]))
	p.pointer(w, at)
	if size := w.b[at+8:]; old > 0 && binary.LittleEndian.Uint64(size) < 1<<31 {
		p.length(size, old, int64(binary.LittleEndian.Uint64(w.b[at:])), true)
	}
}

// length projects how long a function is.
func (p *Program) length(b []byte, old, new int64, known bool) {
	size := word(b)
	if !known || size <= 0 {
		return
	}
	if last, ok := p.Target(old + size - 1); ok && last >= new && last-new < 1<<31-1 {
		putWord(b, last-new+1)
	}
}

// viewRef shows the target of a reference instead of it.
func (p *Program) viewRef(r ref, b []byte, target int64) {
	shown, ok := p.viewed(target)
	if !ok {
		return
	}
	putWord(b, shown)
	if r.how == function && !p.self {
		p.length(b[4:], target, shown, true)
	}
}

// pointers projects 64-bit addresses.
func (p *Program) pointers(w *window) {
	for i := -w.from & 7; i+8 <= int64(w.n); i += 8 {
		p.pointer(w, i)
	}
}

func (p *Program) pointer(w *window, at int64) {
	v := binary.LittleEndian.Uint64(w.b[at:])
	if v >= maxAddress || int64(v) < p.floor {
		return
	}
	moved, ok := p.Target(int64(v))
	if p.learn != nil {
		actual := int64(binary.LittleEndian.Uint64(p.learn.new[w.new+at:]))
		p.learn.vote(int64(v), actual, ok && actual == moved)
	}
	if ok {
		binary.LittleEndian.PutUint64(w.b[at:], uint64(moved))
	}
}

func (p *Program) note(pos int64, h how, base int) {
	if len(p.refs) < maxRefs {
		p.refs = append(p.refs, ref{uint32(pos), h, uint8(base)})
	}
}

// scanReferences notes the references in regions that are tables. Of Go's they are in groups, but for where the
// last function ends.
func (p *Program) scanReferences(f *functionScan) error {
	for _, r := range p.Regions {
		if f != nil && f.r == r {
			p.note(r.Offset+f.functions+8*f.count, fromBase, r.Base+goText)
		}
		if err := p.scanTable(r); err != nil {
			return err
		}
	}
	byPosition := func(a, b ref) int { return compare(int64(a.pos), int64(b.pos)) }
	if !slices.IsSortedFunc(p.refs, byPosition) {
		slices.SortStableFunc(p.refs, byPosition)
	}
	return nil
}

func (p *Program) scanTable(r Region) error {
	switch r.Kind {
	case Offsets:
		p.every(r, 4, ref{how: fromBase, base: uint8(r.Base)})
	case Relocations:
		return p.relocations(r)
	case SymbolHash:
		return p.symbolHash(r)
	case Symbols:
		p.every(r, symbolSize, ref{how: fromBase, base: uint8(r.Base)}, ref{pos: 8, how: symbol})
	case EHFrame:
		return p.ehFrame(r)
	case DebugInfo:
		return p.debugInfo(r)
	case DebugFrame:
		return p.debugFrames(r)
	case DebugLines:
		return p.debugLines(r)
	case DebugAddresses:
		p.every(r, 8, ref{how: absolute})
	}
	return nil
}

// room makes room for n more references, if there may be as many.
func (p *Program) room(n int64) {
	p.refs = slices.Grow(p.refs, int(min(n, int64(maxRefs-len(p.refs)))))
}

// every notes the references of each of a region's items.
func (p *Program) every(r Region, size int64, list ...ref) {
	p.room(r.Size / size * int64(len(list)))
	for at := int64(0); at < r.Size; at += size {
		for _, f := range list {
			if at+int64(f.pos)+int64(f.how.width()) <= r.Size {
				p.note(r.Offset+at+int64(f.pos), f.how, int(f.base))
			}
		}
	}
}

// relocations notes what each Elf64_Rela says: where it applies, its symbol if it has one, and its
// addend, which is an address where it has none.
func (p *Program) relocations(r Region) error {
	const size, number, addend = 24, 12, 16
	t := p.table(r.Offset, r.Size)
	p.room(r.Size / size * 2)
	for at := int64(0); at+size <= r.Size; at += size {
		p.note(r.Offset+at, absolute, 0)
		if t.uint32(at+number) != 0 {
			p.note(r.Offset+at+number, entry, r.Base)
		}
		p.note(r.Offset+at+addend, absolute, 0)
	}
	return t.err
}

// symbolHash notes the numbers of symbols in .gnu.hash: of the first that it has, and of each bucket's
// first.
func (p *Program) symbolHash(r Region) error {
	const head, first, width = 16, 4, 4
	t := p.table(r.Offset, r.Size)
	p.note(r.Offset+first, entry, r.Base)
	at := head + 8*int64(t.uint32(8))
	for range t.uint32(0) {
		if at+width > r.Size {
			break
		}
		p.note(r.Offset+at, entry, r.Base)
		at += width
	}
	return t.err
}
