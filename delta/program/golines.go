package program

import (
	"encoding/binary"
	"math"
	"slices"
)

// Line numbers change wherever text was put in above them: in the tables that give each instruction its
// line, and where functions begin, of all functions of a file and of all that these were inlined to. They
// are projected as if they were addresses: each file's lines have a place in memory that no file fills,
// so that anchors say how far the lines behind them went.
const (
	goLineBase   = 1 << 52
	goLineMemory = 1 << 42   // as file names take at most 2^32 bytes
	goLineUnit   = 1 << 10   // lines to a byte of the table of file names: names take enough of them
	goMaxLines   = 1 << 19   // tables, functions and calls inlined
	goMaxPiece   = 1 << 16   // functions, and calls inlined, of a piece
	goMaxFar     = 4 << 10   // addresses that an inlined call moves in its function
	goMaxTable   = 64 << 10  // bytes of a table of counters
	goMaxWork    = 256 << 20 // bytes of such tables, and those of files, that inlined calls are looked for in
)

// goKey is the place of a 32-bit number of the old file, times 2^32, and what the number has to be read with.
type goKey = uint64

func newKey(pos int64, key uint32) goKey { return goKey(pos)<<32 | goKey(key) }

// goTable is a function's table of lines: where it, its table of files and its unit's files stand, and
// where the function begins. Or it is a table of inlined calls or of files: then unit is goCalls or goNamed,
// and files tells where the calls or the unit stand.
type goTable struct{ pos, files, unit, entry uint32 }

const (
	goCalls = ^uint32(0) - iota
	goNamed
)

// linePlaces are the places of line numbers in the old file.
type linePlaces struct {
	starts  []goKey // a function's first line, and its file's name
	parents []goKey // an inlined call's place in its function, and where that begins
	tables  []goTable
	text    Base
	quantum int64 // addresses that tables count as one
}

// counters steps through a table of program counters: pairs of how much further a value and its end are.
type counters struct {
	t     *table
	b     []byte // what is at hand from at on
	at    int64  // of the next pair
	end   int64  // no pair begins there or behind it
	first bool
	size  int    // of the pair's first number, before at
	raw   uint64 // that number
	value int64
	pc    int64 // where the value ends, in units of the least instruction
	start int64 // of the pair
}

// pairBytes is what a pair has at most.
const pairBytes = 2 * binary.MaxVarintLen32

// newCounters begins with the table at an offset. Until it has been stepped through t reads nothing else.
func newCounters(t *table, at int64) counters {
	return counters{t: t, at: at, end: at + goMaxTable, first: true, value: -1}
}

// next steps to the next pair, if there is one.
func (c *counters) next() bool {
	if len(c.b) < pairBytes {
		c.b = c.t.from(c.at)
	}
	b := c.b
	if c.at >= c.end || len(b) < 2 || b[0] == 0 && !c.first {
		return false
	}
	raw, n, far, m := uint64(b[0]), 1, uint64(b[1]), 1
	if b[0]|b[1] >= 0x80 { // numbers are short as a rule
		raw, n = binary.Uvarint(b[:min(len(b), binary.MaxVarintLen32)])
		if n <= 0 {
			return false
		}
		far, m = binary.Uvarint(b[n:min(len(b), n+binary.MaxVarintLen32)])
		if m <= 0 || raw == 0 && !c.first {
			return false
		}
	}
	c.start, c.raw, c.size, c.first = c.at, raw, n, false
	c.value += unzigzag(raw)
	c.b, c.at = b[n+m:], c.at+int64(n+m)
	c.pc += int64(far)
	return true
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

// goLine returns the address that stands for a line of a file.
func goLine(file, line int64) int64 { return goLineBase + file*goLineUnit + line }

// lineScan is what is the same for all records whose line numbers are noted.
type lineScan struct {
	p                *Program
	r                Region
	units, pcs, data int64 // in the old file
	work             int64 // bytes of tables that inlined calls are looked for in, of a piece
	limit            int   // functions, and calls inlined, of a piece
	quantum          int64
}

// lineReader reads tables for a piece.
type lineReader struct {
	inlined, files, names *table
	first                 []firstPair
	work                  int64 // bytes of tables read
}

// firstPair remembers the first value of a table of counters. Most functions share theirs of files.
type firstPair struct {
	at    uint32
	value int32 // negative: there is none that names anything
}

const firstBits = 14

// goLineScan begins with a region's records, in so many pieces; it is nil where the tables do not lie in the file.
func (p *Program) goLineScan(r Region, pieces, quantum int64) *lineScan {
	pieces = max(1, pieces)
	s := &lineScan{p: p, r: r, work: goMaxWork / pieces, limit: int(min(goMaxPiece, 4*goMaxLines/pieces)), quantum: max(1, quantum)}
	for i, at := range []*int64{&s.units, &s.pcs, &s.data} {
		o, ok := offset(p.OldLoads, p.Bases[r.Base+[]int{goUnits, goPC, goFuncData}[i]].Old)
		if !ok || o < 0 || o > p.Size {
			return nil
		}
		*at = o
	}
	return s
}

func (s *lineScan) reader() lineReader {
	far := s.p.farTable(0, s.p.Size)
	return lineReader{inlined: s.p.table(0, s.p.Size), files: far, names: far.twin(), first: make([]firstPair, 1<<firstBits)}
}

// firstFile returns the first value of a table of files; it is negative if there is none that names a file.
func (w *lineReader) firstFile(at int64) int64 {
	f := &w.first[uint32(at)*0x9e3779b1>>(32-firstBits)]
	if f.at != uint32(at) {
		c := newCounters(w.files, at)
		if !c.next() || c.value > math.MaxInt32 {
			c.value = -1
		}
		*f = firstPair{uint32(at), int32(max(c.value, -1))}
	}
	return int64(f.value)
}

// record notes the line numbers of the record at an offset of the region, whose bytes are b, with the offsets that
// follow it.
func (s *lineScan) record(w *functionReader, at int64, b []byte, l layout) {
	word := func(i int64) int64 { return int64(binary.LittleEndian.Uint32(b[i:])) }
	size := items[l].size
	files, lines, unit, entry := word(20), word(24), s.units+4*word(32), uint32(word(0))
	if files == 0 || s.pcs+files > s.p.Size || s.pcs+lines > s.p.Size || unit > s.p.Size {
		return
	}
	if lines != 0 {
		w.tables = append(w.tables, goTable{uint32(s.pcs + lines), uint32(s.pcs + files), uint32(unit), entry})
	}
	w.tables = append(w.tables, goTable{uint32(s.pcs + files), uint32(unit), goNamed, entry})
	if l != layoutRecord {
		return
	}
	s.start(w, s.r.Offset+at+36, unit, w.lines.firstFile(s.pcs+files))
	if b[28] <= goCounterInline || b[size-1] <= goDataInline {
		return
	}
	inlined, tree := word(size+4*goCounterInline), word(size+4*int64(b[28])+4*goDataInline)
	if tree != 0 && tree != int64(goNone) && inlined != 0 {
		w.tables = append(w.tables, goTable{uint32(s.pcs + inlined), uint32(s.data + tree), goCalls, entry})
		s.calls(w, s.data+tree, s.pcs+inlined, s.pcs+files, unit, entry)
	}
}

const goCounterInline = 2

// fileName returns where a file's name stands in the table of names.
func fileName(t *table, unit, index int64) (int64, bool) {
	v := t.uint32(unit + 4*index)
	return int64(v), index >= 0 && v != goNone && unit+4*index <= t.size-4
}

func (s *lineScan) start(w *functionReader, pos, unit, index int64) {
	if file, ok := fileName(w.lines.names, unit, index); ok && len(w.starts) < s.limit {
		w.starts = append(w.starts, newKey(pos, uint32(file)))
	}
}

// calls notes what a function's inlined calls say: each has the file that instructions with its number
// have.
func (s *lineScan) calls(w *functionReader, tree, inlined, files, unit int64, entry uint32) {
	c, f := newCounters(w.lines.inlined, inlined), newCounters(w.lines.files, files)
	more := f.next()
	done := int64(-1)
	for begin := int64(0); w.lines.work < s.work && c.next() && more; begin = c.pc {
		for more && f.pc <= begin {
			more = f.next()
		}
		at := tree + 16*c.value
		if c.value <= done || !more || at > s.p.Size-16 {
			continue
		}
		for done++; done <= c.value && len(w.parents) < s.limit; done++ {
			w.parents = append(w.parents, newKey(tree+16*done+8, entry))
		}
		done = c.value
		s.start(w, at+12, unit, f.value)
	}
	w.lines.work += c.at - inlined + f.at - files
}

// byPlace returns a new list of the tables by their places. Of several at one place the one found first stays.
func byPlace(tables []goTable) []goTable {
	var out []goTable
	withKeys(len(tables), func(keys []uint64) {
		for i, t := range tables {
			keys[i] = uint64(t.pos)<<32 | uint64(i)
		}
		sortKeys(keys, 32, 64)
		keys = slices.CompactFunc(keys, samePlace)
		out = make([]goTable, len(keys))
		for i, k := range keys {
			out[i] = tables[uint32(k)]
		}
	})
	return out
}

func samePlace(a, b uint64) bool { return a>>32 == b>>32 }

// joinLines puts together what was found of lines in the pieces. It returns what there is to do for that.
func (s *functionScan) joinLines() []func() error {
	l := &linePlaces{text: s.p.Bases[s.r.Base+goText], quantum: s.lines.quantum}
	s.p.lines = s.p.newLines(l)
	keys := func(out *[]goKey, of func(*functionPiece) []goKey) func() error {
		return func() error {
			list := joined(s.pieces, of)
			sortKeys(list, 32, 64)
			*out = slices.CompactFunc(list, samePlace)
			return nil
		}
	}
	return []func() error{
		keys(&l.starts, func(f *functionPiece) []goKey { return f.starts }),
		keys(&l.parents, func(f *functionPiece) []goKey { return f.parents }),
		func() error {
			l.tables = byPlace(joined(s.pieces, func(f *functionPiece) []goTable { return f.tables }))
			return nil
		},
	}
}

// joined returns what is in the pieces of one list, as far as goMaxLines lets it.
func joined[T any](pieces []functionPiece, of func(*functionPiece) []T) []T {
	n := 0
	for i := range pieces {
		n += len(of(&pieces[i]))
	}
	list := make([]T, 0, min(n, goMaxLines))
	for i := range pieces {
		more := of(&pieces[i])
		list = append(list, more[:min(len(more), goMaxLines-len(list))]...)
	}
	return list
}
