package program

import (
	"encoding/binary"
	"slices"
)

// The bases of GoTypes, from the region's first on.
const (
	goTypes    = iota // where offsets of types and names count from
	goTypeText        // where code begins
	goTypeBases
)

// abi.Type.
const (
	goTypeSize  = 48
	goTypeEqual = 24 // a function's address
	goTypeMask  = 32 // its pointers
)

// goTypes notes the 32-bit offsets in type descriptors, which it knows by their look.
func (p *Program) goTypes(r Region) error {
	s := &typeScan{p: p, r: r, t: p.table(r.Offset, r.Size), far: p.table(r.Offset, r.Size)}
	first := -r.Offset
	if a, ok := address(p.OldLoads, r.Offset); ok {
		first = -a
	}
	for at := first & 7; at+goTypeSize <= r.Size && s.t.err == nil; at += 8 {
		if s.isType(at) {
			s.found(at)
		}
	}
	s.goNames()
	if s.t.err != nil {
		return s.t.err
	}
	return s.far.err
}

// typeScan looks through a region for types.
type typeScan struct {
	p     *Program
	r     Region
	t     *table   // read in order
	far   *table   // read elsewhere
	names []uint32 // offsets of names, from types
	asked int64    // names
}

// isType tells whether an abi.Type stands at an offset.
func (s *typeScan) isType(at int64) bool {
	t := s.t
	b := t.bytes(at, goTypeSize)
	align, fieldAlign, kind := b[21], b[22], b[23]&31
	if kind == 0 || kind > 26 || align == 0 || align > 16 || fieldAlign == 0 || fieldAlign > 16 || b[23]&0xc0 != 0 || b[20]&0xc0 != 0 {
		return false
	}
	size, pointers, equal, data := t.uint64(at), t.uint64(at+8), t.uint64(at+24), t.uint64(at+32)
	name := int64(t.uint32(at + 40))
	if pointers > size || size > 1<<40 || name == 0 || name >= s.r.Size {
		return false
	}
	return s.p.known(equal) && s.p.known(data)
}

func (p *Program) known(pointer uint64) bool {
	if pointer >= maxAddress {
		return false
	}
	_, ok := offset(p.OldLoads, int64(pointer))
	return ok || pointer == 0
}

// goKindSize returns the size of a type's descriptor by its kind.
func goKindSize(kind byte) int64 {
	switch kind {
	case 17: // array
		return goTypeSize + 24
	case 18: // chan
		return goTypeSize + 16
	case 19: // func
		return goTypeSize + 8
	case 20: // interface
		return goTypeSize + 32
	case 21: // map
		return goTypeSize + 56
	case 22, 23: // pointer, slice
		return goTypeSize + 8
	case 25: // struct
		return goTypeSize + 32
	}
	return goTypeSize
}

// found notes the references of the type at an offset.
func (s *typeScan) found(at int64) {
	s.p.group(s.r.Offset+at, 1, layoutType, s.r.Base)
	flags, kind := s.t.bytes(at+20, 1)[0], s.t.bytes(at+23, 1)[0]&31
	switch kind {
	case 20:
		if list, n := s.list(at + goTypeSize + 8); n > 0 && n*8 <= s.r.Size-list {
			s.p.group(s.r.Offset+list, n, layoutInterface, s.r.Base)
			s.ask(list, n, 8)
		}
	case 25:
		if list, n := s.list(at + goTypeSize + 8); n > 0 && n*24 <= s.r.Size-list {
			s.fields(list, n)
		}
	}
	if own := at + goKindSize(kind); flags&1 != 0 && own <= s.r.Size-16 {
		s.uncommon(own)
	}
}

// list returns where in the region the slice lies that is at an offset, and how long it is, 0 where it
// makes no sense.
func (s *typeScan) list(at int64) (int64, int64) {
	list, ok := offset(s.p.OldLoads, int64(s.t.uint64(at)&(maxAddress-1)))
	n := int64(s.t.uint32(at + 8))
	if list -= s.r.Offset; !ok || list < 0 || list > s.r.Size || n > 1<<16 {
		return 0, 0
	}
	return list, n
}

func (s *typeScan) uncommon(own int64) {
	s.p.group(s.r.Offset+own, 1, layoutUncommon, s.r.Base)
	methods, from := int64(s.t.uint32(own+4)&0xffff), int64(s.t.uint32(own+8))
	if own <= s.r.Size-from && methods*16 <= s.r.Size-own-from {
		s.p.group(s.r.Offset+own+from, methods, layoutMethod, s.r.Base)
		s.ask(own+from, methods, 16)
	}
}

// ask notes the names of n methods.
func (s *typeScan) ask(at, n, size int64) {
	if s.asked += n; s.asked > goMaxNames {
		return
	}
	for i := range n {
		s.names = append(s.names, s.far.uint32(at+i*size))
	}
}

// fields notes the names of n fields.
func (s *typeScan) fields(at, n int64) {
	if s.asked += n; s.asked > goMaxNames {
		return
	}
	types := s.p.Bases[s.r.Base+goTypes].Old
	for i := range n {
		if v := int64(s.far.uint64(at+24*i)) - types; v > 0 && v < maxFile {
			s.names = append(s.names, uint32(v))
		}
	}
}

const goMaxNames = 1 << 20

// The bits of a name's first byte.
const (
	goNameTag     = 1 << 1 // a tag follows the name
	goNamePackage = 1 << 2 // the offset of its package's path follows
)

// goNames notes the packages of names that are not exported.
func (s *typeScan) goNames() {
	slices.Sort(s.names)
	start, ok := offset(s.p.OldLoads, s.p.Bases[s.r.Base+goTypes].Old)
	if start -= s.r.Offset; !ok || start < 0 {
		return
	}
	for _, name := range slices.Compact(s.names) {
		at := start + int64(name)
		flags := s.far.bytes(at, 1)[0]
		if flags&goNamePackage == 0 {
			continue
		}
		at = s.text(at + 1)
		if flags&goNameTag != 0 {
			at = s.text(at)
		}
		if at <= s.r.Size-4 {
			s.p.group(s.r.Offset+at, 1, layoutName, s.r.Base)
		}
	}
}

// text returns the end of a text with its length in front.
func (s *typeScan) text(at int64) int64 {
	b := s.far.bytes(at, 3)
	size, n := binary.Uvarint(b)
	if n <= 0 {
		return s.r.Size
	}
	return at + int64(n) + int64(size)
}

// goPointers projects 64-bit addresses where no group says that something else is.
func (p *Program) goPointers(w *window) {
	k, _ := slices.BinarySearchFunc(p.groups, w.old+1, func(g group, at int64) int { return compare(int64(g.pos), at) })
	for i := -w.from & 7; i+8 <= int64(w.n); i += 8 {
		at := w.old + i
		for k < len(p.groups) && int64(p.groups[k].pos) <= at {
			k++
		}
		if k > 0 && !p.groups[k-1].pointer(at) {
			continue
		}
		p.pointer(w, i)
	}
}

// pointer tells whether a word at an offset, not before the group, may be an address.
func (g group) pointer(at int64) bool {
	at -= int64(g.pos)
	return at >= g.size() || g.layout == layoutType && (at == goTypeEqual || at == goTypeMask)
}
