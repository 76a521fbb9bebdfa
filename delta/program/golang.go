package program

import (
	"encoding/binary"
	"slices"
	"sync"
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
	goMaxFunctions = 1 << 19
	goMaxCounters  = 64
	goNone         = ^uint32(0)
)

// functionScan finds what .gopclntab refers to: for each function its code, name, file and tables. It looks through
// a piece of so many functions at a time, several pieces at once.
type functionScan struct {
	p            *Program
	r            Region
	record       layout
	count        int64 // functions
	functions    int64 // where they begin in the region: pairs of a place and a record's
	units, files int64 // offsets of file names, and their end; equal: there are none
	lines        *lineScan
	pieces       []functionPiece
	mu           sync.Mutex
	idle         []*functionReader
}

const goPiece = 8 << 10 // functions

// functionPiece is what was found of a piece.
type functionPiece struct {
	groups          []group
	data            []uint64 // where functions' data stand in go:func.*, shifted by goDataBits, and their indexes
	tables          []goTable
	starts, parents []goKey
}

// functionReader is what is needed for looking through a piece.
type functionReader struct {
	functions, records *table
	lines              lineReader
	functionPiece
}

// functionScan begins with the first of Go's function tables; it is nil if there is none that is known.
func (p *Program) functionScan() (*functionScan, error) {
	n := slices.IndexFunc(p.Regions, func(r Region) bool { return r.Kind == GoFunctions })
	if n < 0 {
		return nil, nil
	}
	r := p.Regions[n]
	t := p.table(r.Offset, r.Size)
	s := &functionScan{p: p, r: r, count: int64(t.uint64(goHeaderCount)), functions: int64(t.uint64(goHeaderTable))}
	switch t.uint32(0) {
	case goMagic120:
		s.record = layoutRecord
	case goMagic118:
		s.record = layoutRecord118
	default:
		return nil, t.err
	}
	if t.bytes(7, 1)[0] != 8 || s.count < 0 || s.count > goMaxFunctions || s.functions < goHeaderSize || s.functions > r.Size || s.count*8+4 > r.Size-s.functions {
		return nil, t.err
	}
	units, files := int64(t.uint64(goHeaderUnits)), int64(t.uint64(goHeaderFiles))
	if units >= goHeaderSize && files >= units && files <= s.functions {
		s.units, s.files = units, files
	}
	s.pieces = make([]functionPiece, (s.count+goPiece-1)/goPiece)
	s.lines = p.goLineScan(r, int64(len(s.pieces)), int64(t.bytes(6, 1)[0]))
	return s, t.err
}

// reader takes a reader that is idle, or a new one.
func (s *functionScan) reader() *functionReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle) - 1; n >= 0 {
		w := s.idle[n]
		s.idle = s.idle[:n]
		return w
	}
	const pad = 4 * (64 + goMaxCounters + 1<<8) // for the longest record
	w := &functionReader{functions: s.p.table(s.r.Offset, s.r.Size), records: newTable(s.p.Old, s.r.Offset, s.r.Size, pad)}
	n := min(s.count, goPiece)
	w.groups, w.data = make([]group, 0, n), make([]uint64, 0, 4*n)
	if s.lines != nil {
		w.lines = s.lines.reader()
		w.tables, w.starts, w.parents = make([]goTable, 0, 3*n), make([]goKey, 0, 3*n), make([]goKey, 0, 2*n)
	}
	return w
}

// scan looks through a piece.
func (s *functionScan) scan(piece int) error {
	w := s.reader()
	w.begin()
	first := int64(piece) * goPiece
	for i := first; i < min(first+goPiece, s.count); i++ {
		s.function(w, s.functions+int64(w.functions.uint32(s.functions+8*i+4)))
	}
	s.pieces[piece] = w.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, w)
	return w.err()
}

func (w *functionReader) begin() {
	w.groups, w.data, w.tables, w.starts, w.parents = w.groups[:0], w.data[:0], w.tables[:0], w.starts[:0], w.parents[:0]
	w.lines.work = 0
}

// end returns what was found, each place of data and tables once.
func (w *functionReader) end() functionPiece {
	sortKeys(w.data, 0, 32+goDataBits)
	w.data = slices.Compact(w.data)
	return functionPiece{slices.Clone(w.groups), slices.Clone(w.data), byPlace(w.tables), slices.Clone(w.starts), slices.Clone(w.parents)}
}

func (w *functionReader) err() error {
	for _, t := range []*table{w.functions, w.records, w.lines.inlined, w.lines.files, w.lines.names} {
		if t != nil && t.err != nil {
			return t.err
		}
	}
	return nil
}

// function notes the references of the runtime._func at an offset of the region.
func (s *functionScan) function(w *functionReader, at int64) {
	size := items[s.record].size
	b := w.records.from(at)
	if at > s.r.Size-size || int64(len(b)) < size {
		return
	}
	counters, tables := int64(b[28])|int64(b[29])<<8, int64(b[size-1])
	end := size + 4*(counters+tables)
	if counters > goMaxCounters || end > int64(len(b)) {
		return
	}
	w.groups = append(w.groups, group{uint32(s.r.Offset + at), uint16(counters | tables<<8), s.record, uint8(s.r.Base)})
	if s.lines != nil {
		s.lines.record(w, at, b[:end], s.record)
	}
	for i := range min(tables, 1<<goDataBits) {
		if v := binary.LittleEndian.Uint32(b[size+4*(counters+i):]); v != goNone {
			w.data = append(w.data, uint64(v)<<goDataBits|uint64(i))
		}
	}
}

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

// joinGroups puts the groups of types and those of functions together.
func (s *functionScan) joinGroups(types []group) {
	places, records := len(types), 0
	for i := range s.pieces {
		records, places = records+len(s.pieces[i].groups), places+len(s.pieces[i].data)
	}
	list := make(groupList, 0, min(maxGroups, records+places))
	list = append(list, types...)
	list.add(s.r.Offset+s.units, (s.files-s.units)/4, layoutUnits, s.r.Base)
	list.add(s.r.Offset+s.functions, s.count, layoutFunctions, s.r.Base)
	data := make([]uint64, 0, min(goMaxData, places))
	for i := range s.pieces {
		piece := &s.pieces[i]
		list = append(list, piece.groups[:min(len(piece.groups), maxGroups-len(list))]...)
		data = append(data, piece.data[:min(len(piece.data), goMaxData-len(data))]...)
		piece.groups, piece.data = nil, nil
	}
	sortKeys(data, 0, 32+goDataBits)
	s.goFuncData(&list, slices.Compact(data))
	s.p.groups = list.ordered()
}

// goFuncData notes the references in functions' data.
func (s *functionScan) goFuncData(groups *groupList, list []uint64) {
	inline := layoutInline
	if s.record == layoutRecord118 {
		inline = layoutInline118
	}
	start, ok := offset(s.p.OldLoads, s.p.Bases[s.r.Base+goFuncData].Old)
	if !ok || start < 0 {
		return
	}
	for i := 0; i+1 < len(list); i++ {
		at, end := start+int64(list[i]>>goDataBits), start+int64(list[i+1]>>goDataBits)
		if end > s.p.Size {
			break
		}
		switch list[i] & (1<<goDataBits - 1) {
		case goDataObjects:
			groups.add(at+8, (end-at-8)/items[layoutObject].size, layoutObject, s.r.Base)
		case goDataInline:
			groups.add(at, (end-at)/items[inline].size, inline, s.r.Base)
		case goDataWrapped:
			groups.add(at, (end-at)/4, layoutWrapped, s.r.Base)
		}
	}
}
