package program

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// goSection describes a section of a Go program that holds no code.
func (d *describer) goSection(r *Region, s *elf.Section) {
	r.Kind = Pointers
	old, ok1 := findModule(d.old, d.before)
	new, ok2 := findModule(d.new, d.after)
	if !ok1 || !ok2 {
		return
	}
	switch s.Name {
	case ".gopclntab":
		r.Kind = GoFunctions
		r.Base = d.base(Base{old[moduleText], new[moduleText]}, Base{old[moduleNames], new[moduleNames]}, Base{old[moduleUnits], new[moduleUnits]},
			Base{old[moduleFiles], new[moduleFiles]}, Base{old[modulePC], new[modulePC]}, Base{old[moduleTable], new[moduleTable]},
			Base{old[moduleFuncData], new[moduleFuncData]}, Base{old[moduleROData], new[moduleROData]})
	case ".typelink":
		r.Kind = Offsets
		r.Base = d.base(Base{old[moduleTypes], new[moduleTypes]})
	default:
		if at := old[moduleTypes]; at >= int64(s.Addr) && at < int64(s.Addr+s.Size) {
			r.Kind = GoTypes
			r.Base = d.base(Base{old[moduleTypes], new[moduleTypes]}, Base{old[moduleText], new[moduleText]})
		}
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
