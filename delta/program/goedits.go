package program

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// What a part of a copy may read of tables of counters: twice its size for each of the tables that change and
// those that tell their files, and goPartTables on top, or less where a program has many spans: goSpanTables for
// all of them.
const (
	goPartTimes  = 4
	goPartTables = 256 << 10
	goSpanTables = 256 << 20
)

// goLines projects line numbers. Each goroutine has its own.
type goLines struct {
	*linePlaces
	spare  int64     // what a part may read beyond what it makes
	left   int64     // of what the part in hand may read
	read   [3]*table // tables, files and units
	edits  []goEdit  // of the table below
	edited int       // index in tables; negative: none
}

// goEdit is an entry of a table that changes, but not its size.
type goEdit struct {
	at    int64
	value uint64
	size  int
}

func (p *Program) newLines(places *linePlaces) *goLines {
	l := &goLines{linePlaces: places, spare: min(goPartTables, goSpanTables/int64(len(p.Spans)+1)), edited: -1}
	l.read = [3]*table{p.table(0, p.Size), p.farTable(0, p.Size), p.farTable(0, p.Size)}
	return l
}

// twin returns one for another goroutine.
func (l *goLines) twin() *goLines {
	if l == nil {
		return nil
	}
	t := &goLines{linePlaces: l.linePlaces, spare: l.spare, edited: -1}
	for i, r := range l.read {
		t.read[i] = r.twin()
	}
	return t
}

// begin begins a part of n bytes of a copy: what is read for it depends on nothing before it.
func (l *goLines) begin(n int64) {
	if l != nil {
		l.left, l.edited = goPartTimes*n+l.spare, -1
	}
}

// projectLines projects the line numbers that begin in w.b[:w.n], and returns where the last of them
// ends, or n.
func (p *Program) projectLines(w *window, n int) int {
	l := p.lines
	if l == nil {
		return n
	}
	n = max(n, keyed(l.starts, w, func(line, file int64) (int64, bool) {
		moved, ok := p.targetBy(shiftLine, goLine(file, line))
		return moved - goLine(file, 0), ok && line > 0
	}))
	n = max(n, keyed(l.parents, w, func(at, entry int64) (int64, bool) {
		moved, ok := p.targetBy(shiftCall, l.text.Old+entry+at)
		start, known := p.targetBy(shiftFunction, l.text.Old+entry)
		far := moved - start
		return far, ok && known && at > 0 && far > at-goMaxFar && far < at+goMaxFar && far >= 0
	}))
	i, _ := slices.BinarySearchFunc(l.tables, w.old+1, func(t goTable, at int64) int { return compare(int64(t.pos), at) })
	for i = max(0, i-1); i < len(l.tables) && int64(l.tables[i].pos) < w.old+int64(w.n); i++ {
		p.editTable(i)
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
	i, _ := slices.BinarySearchFunc(list, w.old, func(k goKey, at int64) int { return compare(int64(k>>32), at) })
	for ; i < len(list); i++ {
		at := int64(list[i]>>32) - w.old
		if at >= int64(w.n) || at+4 > int64(len(w.b)) {
			break
		}
		if v, ok := to(word(w.b[at:]), int64(uint32(list[i]))); ok {
			putWord(w.b[at:], v)
		}
		n = int(at) + 4
	}
	return n
}

// editTable finds what of a table changes.
func (p *Program) editTable(i int) {
	l := p.lines
	if l.edited == i {
		return
	}
	l.edited, l.edits = i, l.edits[:0]
	t := l.tables[i]
	if t.unit < goNamed {
		p.editLines(t)
		return
	}
	size := items[layoutUnits].size
	if t.unit == goCalls {
		size = items[layoutInline].size
	}
	if start, ok := address(p.OldLoads, int64(t.files)); ok {
		p.editItems(t, start, size)
	}
}

// editItems changes a table's values as items of a size moved that stand from an address on.
func (p *Program) editItems(t goTable, start, size int64) {
	l, last := p.lines, int64(-1)
	c := l.counters(0, t.pos)
	first, known := p.targetBy(shiftItem, start)
	for c.next() {
		value := c.value
		if moved, ok := p.targetBy(shiftItem, start+value*size); ok && known && value >= 0 {
			if n := (moved - first) / size; n >= 0 && n < 1<<16 {
				value = n
			}
		}
		l.edit(&c, value-last)
		last = value
	}
	l.left -= c.at - int64(t.pos)
}

// editLines changes a table's lines.
func (p *Program) editLines(t goTable) {
	l, last := p.lines, int64(-1)
	c := l.counters(0, t.pos)
	f := newLineFiles(l, t, l.counters(1, t.files))
	for c.next() {
		value := c.value
		if file, ok := f.at(&c); ok {
			if moved, ok := p.targetBy(shiftLine, goLine(file, value)); ok {
				value = moved - goLine(file, 0)
			}
		}
		l.edit(&c, value-last)
		last = value
	}
	l.left -= c.at - int64(t.pos) + f.f.at - int64(t.files)
}

// counters begins with a table, of which it reads no more than what is left to the part in hand.
func (l *goLines) counters(read int, at uint32) counters {
	c := newCounters(l.read[read], int64(at))
	c.end = min(c.end, c.at+l.left)
	return c
}

// edit notes that a pair's value is to differ from the last one by as much, if that takes as many bytes.
func (l *goLines) edit(c *counters, by int64) {
	if raw := zigzag(by); raw != c.raw && raw != 0 && raw>>32 == 0 && uvarintSize(raw) == c.size {
		l.edits = append(l.edits, goEdit{c.start, raw, c.size})
	}
}

// uvarintSize returns how many bytes a number takes.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// lineFiles tells the files of a table of lines.
type lineFiles struct {
	l     *goLines
	unit  int64
	f     counters
	more  bool
	begin int64 // of the entry in hand
	file  int64 // that the value of f names
	known bool
	named bool // the two above tell
}

// newLineFiles begins with the files of a table of lines, which c steps through.
func newLineFiles(l *goLines, t goTable, c counters) lineFiles {
	f := lineFiles{l: l, unit: int64(t.unit), f: c}
	f.more = f.f.next()
	return f
}

// at returns where the name of the file stands that an entry's first instruction is from.
func (f *lineFiles) at(c *counters) (int64, bool) {
	for f.more && f.f.pc <= f.begin {
		f.more, f.named = f.f.next(), false
	}
	f.begin = c.pc
	if !f.more {
		return 0, false
	}
	if !f.named {
		f.file, f.known = fileName(f.l.read[2], f.unit, f.f.value)
		f.named = true
	}
	return f.file, f.known
}
