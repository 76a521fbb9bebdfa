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
	goMaxTable   = 64 << 10  // bytes of a function's table of lines
	goMaxWork    = 256 << 20 // bytes of such tables that are read, each as often as a copy begins in it
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

// goLines are the places of line numbers in the old file.
type goLines struct {
	starts  []goKey // a function's first line, and its file's name
	parents []goKey // an inlined call's place in its function, and where that begins
	tables  []goTable
	text    Base
	quantum int64     // addresses that tables count as one
	read    [3]*table // tables, files and units
	edits   []goEdit  // of the table below
	edited  uint32
	work    int64 // bytes of tables read
}

// goEdit is an entry of a table that changes, but not its size.
type goEdit struct {
	at    int64
	value uint64
	size  int
}

// counters steps through a table of program counters: pairs of how much further a value and its end are.
type counters struct {
	t     *table
	at    int64 // of the next pair
	first bool
	size  int    // of the pair's first number, before at
	raw   uint64 // that number
	value int64
	pc    int64 // where the value ends, in units of the least instruction
	start int64 // of the pair
}

func newCounters(t *table, at int64) *counters {
	return &counters{t: t, at: at, first: true, value: -1}
}

func (c *counters) next() bool {
	b := c.t.bytes(c.at, int(min(2*binary.MaxVarintLen32, max(0, c.t.size-c.at))))
	raw, n := uvarint(b)
	if n <= 0 || raw == 0 && !c.first || c.t.err != nil {
		return false
	}
	c.start, c.raw, c.size, c.first = c.at, raw, n, false
	c.value += unzigzag(raw)
	far, m := uvarint(b[n:])
	if m <= 0 {
		return false
	}
	c.at += int64(n + m)
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
	lines            *goLines
	table, list      *table
	units, pcs, data int64  // in the old file
	names            *table // reads offsets of file names
	work             int64  // bytes of tables read
	full             bool
}

// goLineScan begins with a region's records; it is nil where the tables do not lie in the file.
func (p *Program) goLineScan(r Region) *lineScan {
	s := &lineScan{p: p, r: r, lines: &goLines{text: p.Bases[r.Base+goText], quantum: max(1, int64(p.table(r.Offset, r.Size).bytes(6, 1)[0]))}}
	for i, at := range []*int64{&s.units, &s.pcs, &s.data} {
		o, ok := offset(p.OldLoads, p.Bases[r.Base+[]int{goUnits, goPC, goFuncData}[i]].Old)
		if !ok || o < 0 || o > p.Size {
			return nil
		}
		*at = o
	}
	s.table, s.list, s.names = p.table(0, p.Size), p.table(0, p.Size), p.table(0, p.Size)
	for i := range s.lines.read {
		s.lines.read[i] = p.table(0, p.Size)
	}
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
func (l *goLines) order() {
	slices.SortStableFunc(l.tables, func(a, b goTable) int { return compare(int64(a.pos), int64(b.pos)) })
	l.tables = slices.CompactFunc(l.tables, func(a, b goTable) bool { return a.pos == b.pos })
}

// file returns where a file's name stands in the table of names.
func (l *goLines) file(t *table, unit, index int64) (int64, bool) {
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
	for begin := int64(0); s.work < goMaxWork && c.at < inlined+goMaxTable && c.next() && more; begin = c.pc {
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
	s.p.lines = l
	for _, t := range []*table{s.table, s.list, s.names} {
		if t.err != nil {
			return t.err
		}
	}
	return nil
}

// projectLines projects the line numbers that begin in w.b[:w.n], and returns where the last of them
// ends, or n.
func (p *Program) projectLines(w *window, n int) int {
	l := p.lines
	if l == nil {
		return n
	}
	n = max(n, keyed(l.starts, w, func(line, file int64) (int64, bool) {
		moved, ok := p.Target(goLine(file, line))
		return moved - goLine(file, 0), ok && line > 0
	}))
	n = max(n, keyed(l.parents, w, func(at, entry int64) (int64, bool) {
		moved, ok := p.Target(l.text.Old + entry + at)
		start, known := p.Target(l.text.Old + entry)
		far := moved - start
		return far, ok && known && at > 0 && far > at-goMaxFar && far < at+goMaxFar && far >= 0
	}))
	i, _ := slices.BinarySearchFunc(l.tables, w.old+1, func(t goTable, at int64) int { return compare(int64(t.pos), at) })
	for i = max(0, i-1); i < len(l.tables) && int64(l.tables[i].pos) < w.old+int64(w.n); i++ {
		p.editTable(l.tables[i])
		n = max(n, l.apply(w))
	}
	return n
}

// apply makes the edits that begin in w.b[:w.n].
func (l *goLines) apply(w *window) int {
	n := 0
	i, _ := slices.BinarySearchFunc(l.edits, w.old, func(e goEdit, at int64) int { return compare(e.at, at) })
	for ; i < len(l.edits); i++ {
		at := l.edits[i].at - w.old
		if at >= int64(w.n) || at+int64(l.edits[i].size) > int64(len(w.b)) {
			break
		}
		n = int(at) + binary.PutUvarint(w.b[at:], l.edits[i].value)
	}
	return n
}

// err tells what went wrong in reading tables.
func (l *goLines) err() error {
	if l != nil {
		for _, t := range l.read {
			if t.err != nil {
				return t.err
			}
		}
	}
	return nil
}

// keyed replaces 32-bit numbers in a window by what a function makes of each and its key.
func keyed(list []goKey, w *window, to func(v, key int64) (int64, bool)) int {
	n := 0
	i, _ := slices.BinarySearchFunc(list, w.old, func(k goKey, at int64) int { return compare(int64(k.pos), at) })
	for ; i < len(list); i++ {
		at := int64(list[i].pos) - w.old
		if at >= int64(w.n) || at+4 > int64(len(w.b)) {
			break
		}
		if v, ok := to(word(w.b[at:]), int64(list[i].key)); ok {
			putWord(w.b[at:], v)
		}
		n = int(at) + 4
	}
	return n
}

// editTable finds what of a table of lines changes.
func (p *Program) editTable(t goTable) {
	l := p.lines
	if l.edited == t.pos {
		return
	}
	l.edited, l.edits = t.pos, l.edits[:0]
	if t.unit >= goNamed {
		size := items[layoutUnits].size
		if t.unit == goCalls {
			size = items[layoutInline].size
		}
		if start, ok := address(p.OldLoads, int64(t.files)); ok {
			p.edit(t, func(c *counters) (int64, bool) { return p.itemAt(start, c.value, size) })
		}
		return
	}
	f := newLineFiles(l, t)
	p.edit(t, func(c *counters) (int64, bool) {
		file, ok := f.at(c)
		if !ok {
			return 0, false
		}
		moved, ok := p.Target(goLine(file, c.value))
		return moved - goLine(file, 0), ok
	})
	l.work += f.f.at - int64(t.files)
}

// itemAt returns which item one became, of those of a size from an address on.
func (p *Program) itemAt(start, i, size int64) (int64, bool) {
	if i < 0 {
		return 0, false
	}
	first, ok1 := p.Target(start)
	moved, ok2 := p.Target(start + i*size)
	n := (moved - first) / size
	return n, ok1 && ok2 && n >= 0 && n < 1<<16
}

// edit finds what of a table changes where its values do.
func (p *Program) edit(t goTable, to func(c *counters) (int64, bool)) {
	l, last := p.lines, int64(-1)
	c := newCounters(l.read[0], int64(t.pos))
	for l.work < goMaxWork && c.at < int64(t.pos)+goMaxTable && c.next() {
		value := c.value
		if v, ok := to(c); ok {
			value = v
		}
		raw := zigzag(value - last)
		if raw != c.raw && raw != 0 && raw>>32 == 0 && len(binary.AppendUvarint(nil, raw)) == c.size {
			l.edits = append(l.edits, goEdit{c.start, raw, c.size})
		}
		last = value
	}
	l.work += c.at - int64(t.pos)
}

// lineFiles tells the files of a table of lines.
type lineFiles struct {
	l     *goLines
	unit  int64
	f     *counters
	more  bool
	begin int64 // of the entry in hand
}

func newLineFiles(l *goLines, t goTable) *lineFiles {
	f := &lineFiles{l: l, unit: int64(t.unit), f: newCounters(l.read[1], int64(t.files))}
	f.more = f.f.next()
	return f
}

// at returns where the name of the file stands that an entry's first instruction is from.
func (f *lineFiles) at(c *counters) (int64, bool) {
	for f.more && f.f.pc <= f.begin {
		f.more = f.f.next()
	}
	f.begin = c.pc
	if !f.more {
		return 0, false
	}
	return f.l.file(f.l.read[2], f.unit, f.f.value)
}
