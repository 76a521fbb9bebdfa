package program

import (
	"debug/elf"
	"slices"
)

// Table is a jump table of the old file: entries of 32 bits that lead to code, counted from its start.
type Table struct {
	Offset int64
	Count  int64
}

const entrySize = 4

func (t Table) end() int64 { return t.Offset + entrySize*t.Count }

// validTables tells whether jump tables are in order and lie in the file.
func (p *Program) validTables() bool {
	end := int64(0)
	for _, t := range p.Tables {
		if t.Offset < end || t.Count <= 0 || t.Count > MaxTableEntries || !inside(t.Offset, entrySize*t.Count, p.Size) {
			return false
		}
		end = t.end()
	}
	return true
}

// jumpTables projects the entries that begin in w.b[:w.n], and returns where the last of them ends,
// or w.n. A table is taken to move as a whole.
func (p *Program) jumpTables(w *window) int {
	n := w.n
	i, _ := slices.BinarySearchFunc(p.Tables, w.old, func(t Table, at int64) int { return compare(t.end(), at+1) })
	for ; i < len(p.Tables) && p.Tables[i].Offset < w.old+int64(w.n); i++ {
		t := p.Tables[i]
		start := w.from + t.Offset - w.old
		first := max(0, (w.old-t.Offset+entrySize-1)/entrySize)
		for at := t.Offset + first*entrySize - w.old; at < int64(w.n) && at+entrySize <= int64(len(w.b)) && at < t.end()-w.old; at += entrySize {
			p.entry(w, i, at, start)
			n = max(n, int(at)+entrySize)
		}
	}
	return n
}

func (p *Program) entry(w *window, table int, at, start int64) {
	target, origin := start+word(w.b[at:]), start+w.to-w.from
	moved, ok := p.Target(target)
	if p.learn != nil {
		actual := origin + word(p.learn.new[w.new+at:])
		p.learn.vote(target, actual, ok && actual == moved)
		p.learn.entry(table, actual == moved)
	}
	if ok {
		putWord(w.b[at:], moved-origin)
	}
}

// entry counts whether a jump table's entry is predicted right.
func (l *learner) entry(table int, right bool) {
	l.seen[table]++
	if right {
		l.hits[table]++
	}
}

// keepTables drops the jump tables of which less than half are predicted right: the others
// differ all alike without projection, which costs less.
func (p *Program) keepTables(l *learner) {
	kept := p.Tables[:0]
	for i, t := range p.Tables {
		if 2*l.hits[i] >= l.seen[i] {
			kept = append(kept, t)
		}
	}
	p.Tables = kept
}

// leastEntries is how many entries look like a jump table.
const leastEntries = 4

// jumpTables finds the jump tables in a section of the old file: where code refers to it and entries
// that lead to code follow, up to the next place that code refers to.
func (d *describer) jumpTables(s *elf.Section) {
	starts := d.referred(s)
	for i, start := range starts {
		end := int64(s.Addr + s.FileSize)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		t := Table{Offset: int64(s.Offset) + start - int64(s.Addr)}
		for at := start; at+entrySize <= end && t.Count < MaxTableEntries; at += entrySize {
			v := word(d.old[t.end():])
			if v == 0 || !d.inCode(start+v) {
				break
			}
			t.Count++
		}
		if t.Count >= leastEntries && len(d.p.Tables) < MaxTables {
			d.p.Tables = append(d.p.Tables, t)
		}
	}
}

// referred returns the addresses in a section that the old file's code names relative to itself, in
// order.
func (d *describer) referred(s *elf.Section) []int64 {
	var list []int64
	for _, c := range d.before.Sections {
		if c.Flags&elf.SHF_EXECINSTR == 0 || c.Type == elf.SHT_NOBITS || !inside(int64(c.Offset), int64(c.FileSize), d.p.Size) {
			continue
		}
		code := d.old[c.Offset:][:c.FileSize]
		for at := 0; at < len(code); {
			in, ok := decode(code[at:])
			if !ok {
				at++
				continue
			}
			if in.disp > 0 && in.relative {
				v := int64(c.Addr) + int64(at+in.size) + word(code[at+in.disp:])
				if v >= int64(s.Addr) && v < int64(s.Addr+s.FileSize) && v%entrySize == 0 {
					list = append(list, v)
				}
			}
			at += in.size
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (d *describer) inCode(address int64) bool {
	for _, c := range d.before.Sections {
		if c.Flags&elf.SHF_EXECINSTR != 0 && address >= int64(c.Addr) && address < int64(c.Addr+c.Size) {
			return true
		}
	}
	return false
}
