package program

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// goSection describes a section of a Go program that holds no code.
func (d *describer) goSection(r Region, s *elf.Section) {
	r.Kind = Pointers
	old, ok1 := findModule(d.old, d.before)
	new, ok2 := findModule(d.new, d.after)
	if !ok1 || !ok2 {
		d.p.Regions = append(d.p.Regions, r)
		return
	}
	switch at := old[moduleTypes]; {
	case s.Name == ".gopclntab":
		d.lineLoads()
		r.Kind, r.Base = GoFunctions, d.moduleBases(&old, &new, moduleText, moduleNames, moduleUnits, moduleFiles, modulePC, moduleTable, moduleFuncData, moduleROData)
	case s.Name == ".typelink":
		r.Kind, r.Base = Offsets, d.moduleBases(&old, &new, moduleTypes)
	case at >= int64(s.Addr) && at < int64(s.Addr+s.Size):
		r.Kind, r.Base = GoTypes, d.moduleBases(&old, &new, moduleTypes, moduleText)
	}
	d.goRegions(r, s, &old, &new)
}

// lineLoads adds the memory that line numbers have addresses in.
func (d *describer) lineLoads() {
	if len(d.p.OldLoads) < MaxLoads && len(d.p.NewLoads) < MaxLoads {
		l := Load{Address: goLineBase, Memory: goLineMemory}
		d.p.OldLoads, d.p.NewLoads = append(d.p.OldLoads, l), append(d.p.NewLoads, l)
	}
}

func (d *describer) moduleBases(old, new *module, words ...int) int {
	n := len(d.p.Bases)
	for _, i := range words {
		d.base(Base{old[i], new[i]})
	}
	return n
}

// goRegions adds a section as a region, but findfunctab, if it lies there, as one of its own.
func (d *describer) goRegions(r Region, s *elf.Section, old, new *module) {
	start, size := old[moduleBuckets]-int64(s.Addr), old.bucketBytes()
	at, ok := offset(d.p.NewLoads, new[moduleBuckets])
	if start < 0 || size <= 0 || start > r.Size-size || !ok || at < 0 || !inside(at, new.bucketBytes(), int64(len(d.new))) {
		d.p.Regions = append(d.p.Regions, r)
		return
	}
	buckets := Region{Kind: GoBuckets, Offset: r.Offset + start, Size: size}
	buckets.Base = d.moduleBases(old, new, moduleBuckets, moduleMinPC, moduleMaxPC, moduleFuncTab)
	d.base(Base{old.endOfFuncTab(), new.endOfFuncTab()}, Base{old[moduleText], new[moduleText]})
	before, after := r, r
	before.Size = start
	after.Offset, after.Size = buckets.Offset+size, r.Size-start-size
	for _, part := range []Region{before, buckets, after} {
		if part.Size > 0 {
			d.p.Regions = append(d.p.Regions, part)
		}
	}
	for done := int64(0); done < new.bucketBytes(); done += size {
		d.p.Derived = append(d.p.Derived, Span{Old: buckets.Offset, New: at + done, Size: min(size, new.bucketBytes()-done)})
	}
}

// module holds runtime.moduledata's words, as Go 1.20 to 1.26 lay it out.
type module [moduleWords]int64

const (
	moduleNames    = 1
	moduleUnits    = 4
	moduleFiles    = 7
	modulePC       = 10
	moduleTable    = 13
	moduleFuncTab  = 16
	moduleFuncs    = 17
	moduleBuckets  = 19
	moduleMinPC    = 20
	moduleMaxPC    = 21
	moduleText     = 22
	moduleTypes    = 37
	moduleROData   = 39
	moduleFuncData = 40
	moduleWords    = 41
)

// findModule finds runtime.moduledata: it begins with the address of .gopclntab, and its tables
// follow each other there.
func findModule(b []byte, f *elf.File) (m module, ok bool) {
	table := f.Section(".gopclntab")
	if table == nil {
		return m, false
	}
	want := binary.LittleEndian.AppendUint64(nil, table.Addr)
	for _, name := range []string{".go.module", ".noptrdata", ".data"} {
		s := f.Section(name)
		if s == nil || !inside(int64(s.Offset), int64(s.FileSize), int64(len(b))) {
			continue
		}
		data := b[s.Offset:][:s.FileSize]
		for at := 0; ; at += 8 {
			n := bytes.Index(data[at:], want)
			if n < 0 || at+n+8*moduleWords > len(data) {
				break
			}
			if at += n; at%8 == 0 && m.read(data[at:], table) {
				return m, true
			}
			at &^= 7
		}
	}
	return m, false
}

func (m *module) read(b []byte, table *elf.Section) bool {
	for i := range m {
		v := binary.LittleEndian.Uint64(b[8*i:])
		if v > maxAddress {
			return false
		}
		m[i] = int64(v)
	}
	for _, i := range []int{moduleNames, moduleUnits, moduleFiles, modulePC, moduleTable} {
		if m[i] < int64(table.Addr) || m[i] > int64(table.Addr+table.Size) {
			return false
		}
	}
	return m[moduleText] > 0 && m[moduleTypes] > 0 && m[moduleFuncData] > 0
}

// bucketBytes returns the size of findfunctab.
func (m *module) bucketBytes() int64 {
	parts := (m[moduleMaxPC] - m[moduleMinPC] + goPart - 1) / goPart
	if parts <= 0 || parts > goMaxBuckets*goParts {
		return 0
	}
	return (parts+goParts-1)/goParts*4 + parts
}

// endOfFuncTab returns where functab's last function ends; what follows it is the end of its code.
func (m *module) endOfFuncTab() int64 {
	return m[moduleFuncTab] + goTabEntry*min(max(0, m[moduleFuncs]-1), goMaxFunctions)
}
