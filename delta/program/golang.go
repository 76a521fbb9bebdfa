package program

// The bases of GoFunctions, from the region's first on.
const (
	goText     = iota // where code begins
	goNames           // function names
	goUnits           // compilation units: each an offset into goFiles
	goFiles           // file names
	goPC              // tables of program counters
	goRecords         // the function table, from which records' offsets count
	goFuncData        // go:func.*
	goFunctionBases
)

// goHeader is what runtime.pcHeader has, by Go 1.20's layout.
const (
	goMagic        = 0xfffffff1
	goHeaderCount  = 8
	goHeaderUnits  = 40
	goHeaderFiles  = 48
	goHeaderTable  = 64
	goHeaderSize   = 72
	goRecordSize   = 44
	goMaxFunctions = 1 << 21
	goNone         = ^uint32(0)
)

// goFunctions notes what .gopclntab refers to: for each function its code, name, file and tables.
func (p *Program) goFunctions(r Region) error {
	t := p.table(r.Offset, r.Size)
	if t.uint32(0) != goMagic || t.bytes(7, 1)[0] != 8 {
		return t.err
	}
	count, table := int64(t.uint64(goHeaderCount)), int64(t.uint64(goHeaderTable))
	if count < 0 || count > goMaxFunctions || table < goHeaderSize || table > r.Size || count*8+4 > r.Size-table {
		return t.err
	}
	units, files := int64(t.uint64(goHeaderUnits)), int64(t.uint64(goHeaderFiles))
	if units >= goHeaderSize && files >= units && files <= table {
		for at := units; at+4 <= files; at += 4 {
			if t.uint32(at) != goNone {
				p.note(r.Offset+at, fromBase, r.Base+goFiles)
			}
		}
	}
	records := p.table(r.Offset, r.Size)
	for i := range count {
		p.note(r.Offset+table+8*i, fromBase, r.Base+goText)
		p.note(r.Offset+table+8*i+4, fromBase, r.Base+goRecords)
		p.goRecord(r, records, table+int64(t.uint32(table+8*i+4)))
	}
	p.note(r.Offset+table+8*count, fromBase, r.Base+goText)
	if t.err != nil {
		return t.err
	}
	return records.err
}

// goRecord notes the references of one runtime._func.
func (p *Program) goRecord(r Region, t *table, at int64) {
	if at > r.Size-goRecordSize {
		return
	}
	b := t.bytes(at, goRecordSize)
	pcTables, dataTables := int64(b[28])|int64(b[29])<<8, int64(b[43])
	start := r.Offset + at
	p.note(start, fromBase, r.Base+goText)
	p.note(start+4, fromBase, r.Base+goNames)
	for _, field := range []int64{16, 20, 24} {
		if t.uint32(at+field) != 0 {
			p.note(start+field, fromBase, r.Base+goPC)
		}
	}
	if unit := t.uint32(at + 32); unit != goNone {
		p.note(start+32, fromBase4, r.Base+goUnits)
	}
	at += goRecordSize
	if pcTables > 64 || at > r.Size-4*(pcTables+dataTables) {
		return
	}
	for i := range pcTables {
		if t.uint32(at+4*i) != 0 {
			p.note(r.Offset+at+4*i, fromBase, r.Base+goPC)
		}
	}
	at += 4 * pcTables
	for i := range dataTables {
		if t.uint32(at+4*i) != goNone {
			p.note(r.Offset+at+4*i, fromBase, r.Base+goFuncData)
		}
	}
}

// The bases of GoTypes, from the region's first on.
const (
	goTypes    = iota // where offsets of types and names count from
	goTypeText        // where code begins
)

const goTypeSize = 48 // of abi.Type

// goTypes notes the 32-bit offsets in type descriptors, which it knows by their look.
func (p *Program) goTypes(r Region) error {
	t := p.table(r.Offset, r.Size)
	far := p.table(r.Offset, r.Size)
	first := -r.Offset
	if a, ok := address(p.OldLoads, r.Offset); ok {
		first = -a
	}
	for at := first & 7; at+goTypeSize <= r.Size && t.err == nil; at += 8 {
		if p.isGoType(r, t, at) {
			p.goType(r, t, far, at)
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

func (p *Program) goType(r Region, t, far *table, at int64) {
	start := r.Offset + at
	p.note(start+40, fromBase, r.Base+goTypes)
	if t.uint32(at+44) != 0 {
		p.note(start+44, fromBase, r.Base+goTypes)
	}
	flags, kind := t.bytes(at+20, 1)[0], t.bytes(at+23, 1)[0]&31
	if kind == 20 {
		p.goInterface(r, t, far, at)
	}
	if flags&1 == 0 {
		return
	}
	own := at + goKindSize(kind)
	if own > r.Size-16 {
		return
	}
	if t.uint32(own) != 0 {
		p.note(r.Offset+own, fromBase, r.Base+goTypes)
	}
	methods, from := int64(t.uint32(own+4)&0xffff), int64(t.uint32(own+8))
	if own > r.Size-from || methods*16 > r.Size-own-from {
		return
	}
	if p.looked += 4 * methods; p.looked > maxLooked {
		return
	}
	for i := range methods {
		m := own + from + 16*i
		for field, base := range []int{goTypes, goTypes, goTypeText, goTypeText} {
			if v := far.uint32(m + 4*int64(field)); v != 0 && v != goNone {
				p.note(r.Offset+m+4*int64(field), fromBase, r.Base+base)
			}
		}
	}
}

// goInterface notes the names and types of an interface's methods.
func (p *Program) goInterface(r Region, t, far *table, at int64) {
	list, ok := offset(p.OldLoads, int64(t.uint64(at+goTypeSize+8)&(maxAddress-1)))
	count := int64(t.uint32(at + goTypeSize + 16))
	if list -= r.Offset; !ok || list < 0 || list > r.Size || count > 1<<16 || count*8 > r.Size-list {
		return
	}
	if p.looked += 2 * count; p.looked > maxLooked {
		return
	}
	for i := range 2 * count {
		if far.uint32(list+4*i) != 0 {
			p.note(r.Offset+list+4*i, fromBase, r.Base+goTypes)
		}
	}
}
