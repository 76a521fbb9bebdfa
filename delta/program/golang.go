package program

import (
	"slices"
)

// The bases of GoFunctions, from the region's first on.
const (
	goText     = iota // where code begins
	goNames           // function names
	goUnits           // compilation units: each an offset into goFiles
	goFiles           // file names
	goPC              // tables of program counters
	goRecords         // the function table, from which records' offsets count
	goFuncData        // go:func.*
	goROData          // where offsets of stack objects' pointer masks count from
	goFunctionBases
)

// goHeader is what runtime.pcHeader has, since Go 1.18.
const (
	goMagic120     = 0xfffffff1
	goMagic118     = 0xfffffff0
	goHeaderCount  = 8
	goHeaderUnits  = 40
	goHeaderFiles  = 48
	goHeaderTable  = 64
	goHeaderSize   = 72
	goMaxFunctions = 1 << 21
	goMaxCounters  = 64
	goNone         = ^uint32(0)
)

// goFunctions notes what .gopclntab refers to: for each function its code, name, file and tables.
func (p *Program) goFunctions(r Region) error {
	t := p.table(r.Offset, r.Size)
	record := layoutRecord
	switch t.uint32(0) {
	case goMagic120:
	case goMagic118:
		record = layoutRecord118
	default:
		return t.err
	}
	count, table := int64(t.uint64(goHeaderCount)), int64(t.uint64(goHeaderTable))
	if t.bytes(7, 1)[0] != 8 || count < 0 || count > goMaxFunctions || table < goHeaderSize || table > r.Size || count*8+4 > r.Size-table {
		return t.err
	}
	units, files := int64(t.uint64(goHeaderUnits)), int64(t.uint64(goHeaderFiles))
	if units >= goHeaderSize && files >= units && files <= table {
		p.group(r.Offset+units, (files-units)/4, layoutUnits, r.Base)
	}
	p.group(r.Offset+table, count, layoutFunctions, r.Base)
	p.note(r.Offset+table+8*count, fromBase, r.Base+goText)
	records, data, lines := p.table(r.Offset, r.Size), &goData{}, p.goLineScan(r)
	for i := range count {
		p.goRecord(r, records, table+int64(t.uint32(table+8*i+4)), record, data, lines)
	}
	p.goFuncData(r, data.sorted(), record)
	if t.err == nil {
		t.err = records.err
	}
	if t.err != nil || lines == nil {
		return t.err
	}
	return lines.done()
}

// goRecord notes the references of one runtime._func.
func (p *Program) goRecord(r Region, t *table, at int64, l layout, data *goData, lines *lineScan) {
	size := items[l].size
	if at > r.Size-size {
		return
	}
	b := t.bytes(at, int(size))
	counters, tables := int64(b[28])|int64(b[29])<<8, int64(b[size-1])
	if counters > goMaxCounters || at > r.Size-size-4*(counters+tables) || len(p.groups) >= maxGroups {
		return
	}
	p.groups = append(p.groups, group{uint32(r.Offset + at), uint16(counters | tables<<8), l, uint8(r.Base)})
	if lines != nil {
		lines.record(t, at, slices.Clone(b), l)
	}
	at += size + 4*counters
	for i := range tables {
		if v := t.uint32(at + 4*i); v != goNone {
			data.add(v, i)
		}
	}
}

// goData collects where functions' data stand in go:func.*: they have no lengths, but end where the
// next ones begin.
type goData struct{ list []uint64 }

const (
	goMaxData  = 1 << 20
	goDataBits = 4
)

// What functions' data are, by their index.
const (
	goDataObjects = 2
	goDataInline  = 3
	goDataWrapped = 7
)

func (d *goData) add(offset uint32, index int64) {
	if len(d.list) == goMaxData {
		d.list = d.sorted()
	}
	if len(d.list) < goMaxData && index < 1<<goDataBits {
		d.list = append(d.list, uint64(offset)<<goDataBits|uint64(index))
	}
}

// sorted returns the data, each once.
func (d *goData) sorted() []uint64 {
	slices.Sort(d.list)
	return slices.Compact(d.list)
}

// goFuncData notes the references in functions' data.
func (p *Program) goFuncData(r Region, list []uint64, record layout) {
	inline := layoutInline
	if record == layoutRecord118 {
		inline = layoutInline118
	}
	start, ok := offset(p.OldLoads, p.Bases[r.Base+goFuncData].Old)
	if !ok || start < 0 {
		return
	}
	for i := 0; i+1 < len(list); i++ {
		at, end := start+int64(list[i]>>goDataBits), start+int64(list[i+1]>>goDataBits)
		if end > p.Size {
			break
		}
		switch list[i] & (1<<goDataBits - 1) {
		case goDataObjects:
			p.group(at+8, (end-at-8)/items[layoutObject].size, layoutObject, r.Base)
		case goDataInline:
			p.group(at, (end-at)/items[inline].size, inline, r.Base)
		case goDataWrapped:
			p.group(at, (end-at)/4, layoutWrapped, r.Base)
		}
	}
}
