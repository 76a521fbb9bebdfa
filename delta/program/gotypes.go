package program

// The bases of GoTypes, from the region's first on.
const (
	goTypes    = iota // where offsets of types and names count from
	goTypeText        // where code begins
	goTypeBases
)

const goTypeSize = 48 // of abi.Type

// goTypes notes the 32-bit offsets in type descriptors, which it knows by their look.
func (p *Program) goTypes(r Region) error {
	t := p.table(r.Offset, r.Size)
	first := -r.Offset
	if a, ok := address(p.OldLoads, r.Offset); ok {
		first = -a
	}
	for at := first & 7; at+goTypeSize <= r.Size && t.err == nil; at += 8 {
		if p.isGoType(r, t, at) {
			p.goType(r, t, at)
		}
	}
	return t.err
}

// isGoType tells whether an abi.Type stands at an offset.
func (p *Program) isGoType(r Region, t *table, at int64) bool {
	b := t.bytes(at, goTypeSize)
	align, fieldAlign, kind := b[21], b[22], b[23]&31
	if kind == 0 || kind > 26 || align == 0 || align > 16 || fieldAlign == 0 || fieldAlign > 16 || b[23]&0xc0 != 0 || b[20]&0xc0 != 0 {
		return false
	}
	size, pointers, equal, data := t.uint64(at), t.uint64(at+8), t.uint64(at+24), t.uint64(at+32)
	name := int64(t.uint32(at + 40))
	if pointers > size || size > 1<<40 || name == 0 || name >= r.Size {
		return false
	}
	return p.known(equal) && p.known(data)
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

func (p *Program) goType(r Region, t *table, at int64) {
	p.group(r.Offset+at, 1, layoutType, r.Base)
	flags, kind := t.bytes(at+20, 1)[0], t.bytes(at+23, 1)[0]&31
	if kind == 20 {
		p.goInterface(r, t, at)
	}
	if flags&1 == 0 {
		return
	}
	own := at + goKindSize(kind)
	if own > r.Size-16 {
		return
	}
	p.group(r.Offset+own, 1, layoutUncommon, r.Base)
	methods, from := int64(t.uint32(own+4)&0xffff), int64(t.uint32(own+8))
	if own > r.Size-from || methods*16 > r.Size-own-from {
		return
	}
	p.group(r.Offset+own+from, methods, layoutMethod, r.Base)
}

// goInterface notes the names and types of an interface's methods.
func (p *Program) goInterface(r Region, t *table, at int64) {
	list, ok := offset(p.OldLoads, int64(t.uint64(at+goTypeSize+8)&(maxAddress-1)))
	count := int64(t.uint32(at + goTypeSize + 16))
	if list -= r.Offset; !ok || list < 0 || list > r.Size || count > 1<<16 || count*8 > r.Size-list {
		return
	}
	p.group(r.Offset+list, count, layoutInterface, r.Base)
}
