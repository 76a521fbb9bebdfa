package program

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"
)

// learnLines takes from the new file where lines went, of functions that have the same instructions.
func (p *Program) learnLines(new []byte) {
	base, buckets := p.regionOf(GoFunctions), p.regionOf(GoBuckets)
	if p.lines == nil || base == nil || buckets == nil {
		return
	}
	tab, ok := offset(p.NewLoads, p.Bases[buckets.Base+goFuncTab].New)
	counts, known := offset(p.NewLoads, p.Bases[base.Base+goPC].New)
	n := (p.Bases[buckets.Base+goFuncTabEnd].New - p.Bases[buckets.Base+goFuncTab].New) / goTabEntry
	if !ok || !known || tab < 0 || counts < 0 || n <= 0 || n > goMaxFunctions || !inside(tab, n*goTabEntry, int64(len(new))) {
		return
	}
	p.learn.votes = append(p.learn.votes, Anchor{goLineBase, goLineBase}, Anchor{goLineBase, goLineBase})
	l := &lineLearner{p: p, now: p.tableOf(new), functions: new[tab:][:n*goTabEntry], text: p.lines.text, tab: tab, counts: counts}
	for _, t := range p.lines.tables {
		if t.unit < goNamed {
			l.function(t)
		}
	}
}

func (p *Program) regionOf(k Kind) *Region {
	for i := range p.Regions {
		if p.Regions[i].Kind == k {
			return &p.Regions[i]
		}
	}
	return nil
}

func (p *Program) tableOf(b []byte) *table {
	return newTable(bytes.NewReader(b), 0, int64(len(b)), tablePad)
}

// lineLearner compares the lines of functions, old and new.
type lineLearner struct {
	p           *Program
	now         *table
	functions   []byte // functab of the new file
	text        Base
	tab, counts int64
	old, new    []lineEntry
}

// lineEntry is an entry of a table of lines: its file's name, its line, and where it begins.
type lineEntry struct{ file, line, begin int64 }

// function compares an old function's lines with those of the new one, where instructions went from one
// to the other.
func (l *lineLearner) function(t goTable) {
	moved, ok := l.p.Target(l.text.Old + int64(t.entry))
	if !ok {
		return
	}
	n := len(l.functions) / goTabEntry
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint32(l.functions[i:])) }
	i := sort.Search(n, func(i int) bool { return word(i*goTabEntry) >= moved-l.text.New })
	if i == n || word(i*goTabEntry) != moved-l.text.New {
		return
	}
	lines := l.now.uint32(l.tab + word(i*goTabEntry+4) + 24)
	if lines == 0 {
		return
	}
	files := newLineFiles(l.p.lines, t, newCounters(l.p.lines.read[1], int64(t.files)))
	l.old = entries(l.old[:0], newCounters(l.p.lines.read[0], int64(t.pos)), &files)
	l.new = entries(l.new[:0], newCounters(l.now, l.counts+int64(lines)), nil)
	for _, e := range l.old {
		at, ok := l.p.Target(l.text.Old + int64(t.entry) + e.begin*l.p.lines.quantum)
		if !ok || e.file < 0 {
			continue
		}
		if i, ok := slices.BinarySearchFunc(l.new, (at-moved)/l.p.lines.quantum, func(e lineEntry, at int64) int { return compare(e.begin, at) }); ok {
			l.p.learn.votes = append(l.p.learn.votes, Anchor{goLine(e.file, e.line), goLine(e.file, l.new[i].line)})
		}
	}
}

// entries reads a table of lines.
func entries(list []lineEntry, c counters, files *lineFiles) []lineEntry {
	for begin := int64(0); c.next(); begin = c.pc {
		e := lineEntry{-1, c.value, begin}
		if files != nil {
			if file, ok := files.at(&c); ok {
				e.file = file
			}
		}
		list = append(list, e)
	}
	return list
}
