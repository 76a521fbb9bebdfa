package program

import (
	"encoding/binary"
	"slices"
)

// group is a run of like items in Go's tables. Groups keep references in little memory: there are
// millions of them in a large program.
type group struct {
	pos    uint32
	count  uint16 // items; of a record its tables of program counters and, times 256, of data
	layout layout
	base   uint8 // the first of its region's bases
}

// layout tells where an item holds references.
type layout uint8

const (
	layoutFunctions layout = iota // functab: pairs of a function's beginning and its record
	layoutUnits                   // offsets of file names
	layoutRecord                  // runtime._func of Go 1.20 and later
	layoutRecord118               // the same before
	layoutInline                  // runtime.inlinedCall of Go 1.20 and later
	layoutInline118               // the same before
	layoutObject                  // runtime.stackObjectRecord
	layoutWrapped                 // the offset of the function that a wrapper calls
	layoutType                    // abi.Type
	layoutUncommon                // abi.UncommonType
	layoutMethod                  // abi.Method
	layoutInterface               // abi.Imethod
	layoutName                    // the path of a name's package
)

// field is a 32-bit offset in an item. 0 and all ones stand for none.
type field struct {
	at    int64
	base  uint8 // from the group's
	scale int64
}

// item is how large a layout's items are and which references they hold.
type item struct {
	size   int64
	fields []field
}

var items = [...]item{
	layoutFunctions: {8, []field{{0, goText, 1}, {4, goRecords, 1}}},
	layoutUnits:     {4, []field{{0, goFiles, 1}}},
	layoutRecord:    {44, goRecordFields},
	layoutRecord118: {40, goRecordFields},
	layoutInline:    {16, []field{{4, goNames, 1}}},
	layoutInline118: {20, []field{{12, goNames, 1}}},
	layoutObject:    {16, []field{{12, goROData, 1}}},
	layoutWrapped:   {4, []field{{0, goText, 1}}},
	layoutType:      {goTypeSize, []field{{40, goTypes, 1}, {44, goTypes, 1}}},
	layoutUncommon:  {16, []field{{0, goTypes, 1}}},
	layoutMethod:    {16, []field{{0, goTypes, 1}, {4, goTypes, 1}, {8, goTypeText, 1}, {12, goTypeText, 1}}},
	layoutInterface: {8, []field{{0, goTypes, 1}, {4, goTypes, 1}}},
	layoutName:      {4, []field{{0, goTypes, 1}}},
}

var goRecordFields = []field{{0, goText, 1}, {4, goNames, 1}, {16, goPC, 1}, {20, goPC, 1}, {24, goPC, 1}, {32, goUnits, 4}}

// size returns how many bytes a group takes.
func (g group) size() int64 {
	it := items[g.layout]
	if g.layout == layoutRecord || g.layout == layoutRecord118 {
		return it.size + 4*int64(g.count&0xff) + 4*int64(g.count>>8)
	}
	return it.size * int64(g.count)
}

// groupList collects groups.
type groupList []group

// add notes n items at an offset of the old file.
func (l *groupList) add(pos, n int64, of layout, base int) {
	for n > 0 && len(*l) < maxGroups {
		count := min(n, 1<<16-1)
		*l = append(*l, group{uint32(pos), uint16(count), of, uint8(base)})
		pos, n = pos+count*items[of].size, n-count
	}
}

// ordered sorts the groups. Of several at one place the one found first stays.
func (l groupList) ordered() []group {
	out := l[:0]
	withKeys(len(l), func(packed []uint64) {
		for i, g := range l {
			packed[i] = uint64(g.pos)<<32 | uint64(g.count)<<16 | uint64(g.layout)<<8 | uint64(g.base)
		}
		sortKeys(packed, 32, 64)
		for i, v := range packed {
			if pos := uint32(v >> 32); i == 0 || pos != out[len(out)-1].pos {
				out = append(out, group{pos, uint16(v >> 16), layout(v >> 8), uint8(v)})
			}
		}
	})
	return out
}

// projectGroups projects the references of groups that begin in w.b[:w.n], and returns where the last
// of them ends, or n. A group ends at the latest where the next one begins.
func (p *Program) projectGroups(w *window, n int) int {
	i, _ := slices.BinarySearchFunc(p.groups, w.old+1, func(g group, at int64) int { return compare(int64(g.pos), at) })
	for i = max(0, i-1); i < len(p.groups); i++ {
		g := p.groups[i]
		if int64(g.pos) >= w.old+int64(w.n) {
			break
		}
		stop := int64(g.pos) + g.size()
		if i+1 < len(p.groups) {
			stop = min(stop, int64(p.groups[i+1].pos))
		}
		if stop > w.old {
			n = max(n, p.projectGroup(g, w, stop))
		}
	}
	return n
}

func (p *Program) projectGroup(g group, w *window, stop int64) int {
	it := &items[g.layout]
	if g.layout == layoutRecord || g.layout == layoutRecord118 {
		end := p.fields(it.fields, g, int64(g.pos), w, stop)
		return max(end, p.recordTables(g, int64(g.pos)+it.size, w, stop))
	}
	end := 0
	at := int64(g.pos) + max(0, w.old-int64(g.pos))/it.size*it.size
	for ; at < stop && at < w.old+int64(w.n); at += it.size {
		end = max(end, p.fields(it.fields, g, at, w, stop))
	}
	return end
}

// recordTables projects what follows a record: offsets of tables of program counters, then of data.
func (p *Program) recordTables(g group, at int64, w *window, stop int64) int {
	counters, tables := int64(g.count&0xff), int64(g.count>>8)
	end := 0
	for i := range counters {
		end = max(end, p.field(field{4 * i, goPC, 1}, g, at, w, stop))
	}
	for i := counters; i < counters+tables; i++ {
		end = max(end, p.field(field{4 * i, goFuncData, 1}, g, at, w, stop))
	}
	return end
}

func (p *Program) fields(list []field, g group, at int64, w *window, stop int64) int {
	end := 0
	for _, f := range list {
		end = max(end, p.field(f, g, at, w, stop))
	}
	return end
}

// field projects one reference of the item at an offset of the old file, and returns where it ends in
// the window, 0 if the window does not hold it.
func (p *Program) field(f field, g group, item int64, w *window, stop int64) int {
	at := item + f.at - w.old
	if at < 0 || at >= int64(w.n) || at+4 > int64(len(w.b)) || item+f.at+4 > stop {
		return 0
	}
	b := w.b[at : at+4]
	v := binary.LittleEndian.Uint32(b)
	if v == 0 || v == goNone {
		return 0
	}
	base := &p.Bases[g.base+f.base]
	target := base.Old + int64(int32(v))*f.scale
	moved, ok := p.targetBy(int(f.base), target)
	if p.learn != nil {
		actual := base.New + word(p.learn.new[w.new+at:])*f.scale
		p.learn.vote(target, actual, ok && actual == moved)
	}
	if ok {
		if moved -= base.New; f.scale != 1 {
			moved /= f.scale
		}
		putWord(b, moved)
	}
	return int(at) + 4
}
