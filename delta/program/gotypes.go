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

// scanTypes finds the 32-bit offsets in type descriptors, which it knows by their look.
func (p *Program) scanTypes() (list groupList, err error) {
	for _, r := range p.Regions {
		if r.Kind == GoTypes && err == nil {
			err = p.goTypes(r, &list)
		}
	}
	return list, err
}

func (p *Program) goTypes(r Region, list *groupList) error {
	t := p.table(r.Offset, r.Size)
	s := &typeScan{p: p, r: r, groups: list, t: p.farTable(r.Offset, r.Size)}
	at := -r.Offset & 7
	if a, ok := address(p.OldLoads, r.Offset); ok {
		at = -a & 7
	}
	for at+goTypeSize <= r.Size {
		b := t.from(at)
		if b == nil {
			break
		}
		for ; len(b) >= goTypeSize; b, at = b[8:], at+8 {
			if mayBeType(b) && s.isType(b) {
				s.found(at, b[20], b[23]&31)
			}
		}
	}
	s.goNames()
	if t.err != nil {
		return t.err
	}
	return s.t.err
}

// typeScan looks through a region for types.
type typeScan struct {
	p      *Program
	r      Region
	groups *groupList
	t      *table
	names  []uint32 // offsets of names, from types
	asked  int64    // names
}

// mayBeType tells whether the bytes have an abi.Type's flags, alignments and kind.
func mayBeType(b []byte) bool {
	const never = 0xc0e0e0c0 // bits of these four bytes
	if binary.LittleEndian.Uint32(b[20:])&never != 0 {
		return false
	}
	align, fieldAlign, kind := b[21], b[22], b[23]&31
	return align-1 < 16 && fieldAlign-1 < 16 && kind-1 < 26
}

// isType tells whether the bytes, which may be an abi.Type, are one.
func (s *typeScan) isType(b []byte) bool {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }
	size, name := word(0), int64(binary.LittleEndian.Uint32(b[40:]))
	return word(8) <= size && size <= 1<<40 && name != 0 && name < s.r.Size && s.p.known(word(goTypeEqual)) && s.p.known(word(goTypeMask))
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
func (s *typeScan) found(at int64, flags, kind byte) {
	s.groups.add(s.r.Offset+at, 1, layoutType, s.r.Base)
	switch kind {
	case 20:
		if list, n := s.list(at + goTypeSize + 8); n > 0 && n*8 <= s.r.Size-list {
			s.groups.add(s.r.Offset+list, n, layoutInterface, s.r.Base)
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
	s.groups.add(s.r.Offset+own, 1, layoutUncommon, s.r.Base)
	methods, from := int64(s.t.uint32(own+4)&0xffff), int64(s.t.uint32(own+8))
	if own <= s.r.Size-from && methods*16 <= s.r.Size-own-from {
		s.groups.add(s.r.Offset+own+from, methods, layoutMethod, s.r.Base)
		s.ask(own+from, methods, 16)
	}
}

// ask notes the names of n methods.
func (s *typeScan) ask(at, n, size int64) {
	if s.asked += n; s.asked > goMaxNames {
		return
	}
	for i := range n {
		s.names = append(s.names, s.t.uint32(at+i*size))
	}
}

// fields notes the names of n fields.
func (s *typeScan) fields(at, n int64) {
	if s.asked += n; s.asked > goMaxNames {
		return
	}
	types := s.p.Bases[s.r.Base+goTypes].Old
	for i := range n {
		if v := int64(s.t.uint64(at+24*i)) - types; v > 0 && v < maxFile {
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
	s.names = radixSort(s.names, make([]uint32, len(s.names)), 0, 32)
	start, ok := offset(s.p.OldLoads, s.p.Bases[s.r.Base+goTypes].Old)
	if start -= s.r.Offset; !ok || start < 0 {
		return
	}
	for _, name := range slices.Compact(s.names) {
		at := start + int64(name)
		flags := s.t.bytes(at, 1)[0]
		if flags&goNamePackage == 0 {
			continue
		}
		at = s.text(at + 1)
		if flags&goNameTag != 0 {
			at = s.text(at)
		}
		if at <= s.r.Size-4 {
			s.groups.add(s.r.Offset+at, 1, layoutName, s.r.Base)
		}
	}
}

// text returns the end of a text with its length in front.
func (s *typeScan) text(at int64) int64 {
	b := s.t.bytes(at, 3)
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
