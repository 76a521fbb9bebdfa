package program

import (
	"encoding/binary"
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
	goMaxLines   = 1 << 19   // functions, and calls inlined
	goMaxFar     = 4 << 10   // addresses that an inlined call moves in its function
	goMaxTable   = 64 << 10  // bytes of a table of counters
	goMaxWork    = 256 << 20 // bytes of such tables that Prepare reads
)

// goKey is a 32-bit number of the old file and what it has to be read with.
type goKey struct{ pos, key uint32 }

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

// counterBytes is how much of a table of counters is taken at a time, and pairBytes what a pair has at most.
const (
	counterBytes = 512
	pairBytes    = 2 * binary.MaxVarintLen32
)

// newCounters begins with the table at an offset. Until it has been stepped through t reads nothing else.
func newCounters(t *table, at int64) counters {
	return counters{t: t, at: at, end: at + goMaxTable, first: true, value: -1}
}

// next steps to the next pair, if there is one.
func (c *counters) next() bool {
	if len(c.b) < pairBytes {
		c.b = c.t.bytes(c.at, int(min(counterBytes, max(0, c.t.size-c.at))))
	}
	raw, n := uvarint(c.b)
	if n <= 0 || raw == 0 && !c.first || c.at >= c.end || c.t.err != nil {
		return false
	}
	far, m := uvarint(c.b[n:])
	if m <= 0 {
		return false
	}
	c.start, c.raw, c.size, c.first = c.at, raw, n, false
	c.value += unzigzag(raw)
	c.b, c.at = c.b[n+m:], c.at+int64(n+m)
	c.pc += int64(far)
	return true
}

// uvarint reads a number of at most 32 bits, which are short as a rule.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b[:min(len(b), binary.MaxVarintLen32)])
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

// goLine returns the address that stands for a line of a file.
func goLine(file, line int64) int64 { return goLineBase + file*goLineUnit + line }

// lineScan notes the line numbers of records.
type lineScan struct {
	p                *Program
	r                Region
	lines            *linePlaces
	table, list      *table
	units, pcs, data int64  // in the old file
	names            *table // reads offsets of file names
	work             int64  // bytes of tables read
	full             bool
}

// goLineScan begins with a region's records; it is nil where the tables do not lie in the file.
func (p *Program) goLineScan(r Region) *lineScan {
	s := &lineScan{p: p, r: r, lines: &linePlaces{text: p.Bases[r.Base+goText], quantum: max(1, int64(p.table(r.Offset, r.Size).bytes(6, 1)[0]))}}
	for i, at := range []*int64{&s.units, &s.pcs, &s.data} {
		o, ok := offset(p.OldLoads, p.Bases[r.Base+[]int{goUnits, goPC, goFuncData}[i]].Old)
		if !ok || o < 0 || o > p.Size {
			return nil
		}
		*at = o
	}
	s.table, s.list, s.names = p.table(0, p.Size), p.table(0, p.Size), p.table(0, p.Size)
	return s
}

// record notes those of one record, whose bytes before its tables are b.
func (s *lineScan) record(t *table, at int64, b []byte, l layout) {
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint32(b[i:])) }
	files, lines, unit := word(20), word(24), s.units+4*word(32)
	entry, calls := uint32(word(0)), b[28] > goCounterInline && int(b[len(b)-1]) > goDataInline
	tree, inlined := int64(0), int64(0)
	if calls {
		tree = int64(t.uint32(at + int64(len(b)) + 4*int64(b[28]) + 4*goDataInline))
		inlined = int64(t.uint32(at + int64(len(b)) + 4*goCounterInline))
	}
	if s.crowded() || files == 0 || s.pcs+files > s.p.Size || s.pcs+lines > s.p.Size || unit > s.p.Size {
		return
	}
	if lines != 0 {
		s.lines.tables = append(s.lines.tables, goTable{uint32(s.pcs + lines), uint32(s.pcs + files), uint32(unit), entry})
	}
	s.lines.tables = append(s.lines.tables, goTable{uint32(s.pcs + files), uint32(unit), goNamed, entry})
	if l != layoutRecord {
		return
	}
	if c := newCounters(s.table, s.pcs+files); c.next() {
		s.start(s.r.Offset+at+36, unit, c.value)
	}
	if tree != 0 && tree != int64(goNone) && inlined != 0 {
		s.lines.tables = append(s.lines.tables, goTable{uint32(s.pcs + inlined), uint32(s.data + tree), goCalls, entry})
		s.calls(s.data+tree, s.pcs+inlined, s.pcs+files, unit, entry)
	}
}

const goCounterInline = 2

// crowded tells whether there is no room for one more function's tables. Many have some in common.
func (s *lineScan) crowded() bool {
	if !s.full && len(s.lines.tables) >= goMaxLines-3 {
		s.lines.order()
		s.full = len(s.lines.tables) > goMaxLines/2
	}
	return s.full
}

// order sorts the tables. Of several at one place the one found first stays.
func (l *linePlaces) order() {
	slices.SortStableFunc(l.tables, func(a, b goTable) int { return compare(int64(a.pos), int64(b.pos)) })
	l.tables = slices.CompactFunc(l.tables, func(a, b goTable) bool { return a.pos == b.pos })
}

// file returns where a file's name stands in the table of names.
func (l *linePlaces) file(t *table, unit, index int64) (int64, bool) {
	v := t.uint32(unit + 4*index)
	return int64(v), index >= 0 && v != goNone && unit+4*index <= t.size-4
}

func (s *lineScan) start(pos, unit, index int64) {
	if file, ok := s.lines.file(s.names, unit, index); ok && len(s.lines.starts) < goMaxLines {
		s.lines.starts = append(s.lines.starts, goKey{uint32(pos), uint32(file)})
	}
}

// calls notes what a function's inlined calls say: each has the file that instructions with its number
// have.
func (s *lineScan) calls(tree, inlined, files, unit int64, entry uint32) {
	c, f := newCounters(s.table, inlined), newCounters(s.list, files)
	more := f.next()
	done := int64(-1)
	for begin := int64(0); s.work < goMaxWork && c.next() && more; begin = c.pc {
		for more && f.pc <= begin {
			more = f.next()
		}
		at := tree + 16*c.value
		if c.value <= done || !more || at > s.p.Size-16 {
			continue
		}
		for done++; done <= c.value && len(s.lines.parents) < goMaxLines; done++ {
			s.lines.parents = append(s.lines.parents, goKey{uint32(tree + 16*done + 8), entry})
		}
		done = c.value
		s.start(at+12, unit, f.value)
	}
	s.work += c.at - inlined + f.at - files
}

// done puts what was found in order.
func (s *lineScan) done() error {
	l := s.lines
	for _, list := range [][]goKey{l.starts, l.parents} {
		slices.SortStableFunc(list, func(a, b goKey) int { return compare(int64(a.pos), int64(b.pos)) })
	}
	l.starts = slices.CompactFunc(l.starts, func(a, b goKey) bool { return a.pos == b.pos })
	l.parents = slices.CompactFunc(l.parents, func(a, b goKey) bool { return a.pos == b.pos })
	l.order()
	s.p.lines = s.p.newLines(l)
	for _, t := range []*table{s.table, s.list, s.names} {
		if t.err != nil {
			return t.err
		}
	}
	return nil
}
