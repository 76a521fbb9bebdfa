package program

import (
	"bytes"
	"debug/elf"
	"slices"
)

// Describe returns a program for two versions of an ELF file, all but its spans, or nil if they are
// not ELF files of one architecture that is known.
func Describe(old, new []byte) *Program {
	before, after := open(old), open(new)
	if before == nil || after == nil || before.Machine != after.Machine || int64(len(old)) > maxFile {
		return nil
	}
	d := &describer{old: old, new: new, before: before, after: after}
	d.p = &Program{Old: bytes.NewReader(old), Size: int64(len(old)), OldLoads: loads(before), NewLoads: loads(after)}
	if len(d.p.OldLoads) == 0 || len(d.p.NewLoads) == 0 {
		return nil
	}
	d.sections()
	d.debug()
	slices.SortFunc(d.p.Regions, func(a, b Region) int { return compare(a.Offset, b.Offset) })
	slices.SortFunc(d.p.Anchors, func(a, b Anchor) int { return compare(a.Old, b.Old) })
	if !d.p.valid() {
		return nil
	}
	return d.p
}

func open(b []byte) *elf.File {
	if len(b) < 64 || string(b[:4]) != elf.ELFMAG {
		return nil
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil || f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return nil
	}
	return f
}

func loads(f *elf.File) []Load {
	var list []Load
	for _, s := range f.Progs {
		if s.Type == elf.PT_LOAD && len(list) < MaxLoads {
			list = append(list, Load{Offset: int64(s.Off), Address: int64(s.Vaddr), Size: int64(s.Filesz), Memory: int64(s.Memsz)})
		}
	}
	return list
}

type describer struct {
	p             *Program
	old, new      []byte
	before, after *elf.File
	then, now     Load // what is not loaded at run time
}

// sections describes the old file's sections by what they hold.
func (d *describer) sections() {
	isGo := d.before.Section(".gopclntab") != nil && d.after.Section(".gopclntab") != nil
	for _, s := range d.before.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		twin := d.after.Section(s.Name)
		if s.Type == elf.SHT_NOBITS {
			if twin != nil {
				d.p.Anchors = append(d.p.Anchors, Anchor{int64(s.Addr), int64(twin.Addr)})
			}
			continue
		}
		if twin == nil || !inside(int64(s.Offset), int64(s.FileSize), d.p.Size) || s.FileSize == 0 || len(d.p.Regions) >= MaxRegions-1 {
			continue
		}
		d.section(s, twin, isGo)
	}
}

func (d *describer) section(s, twin *elf.Section, isGo bool) {
	r := Region{Kind: kinds, Offset: int64(s.Offset), Size: int64(s.FileSize)}
	switch {
	case s.Flags&elf.SHF_EXECINSTR != 0:
		switch d.before.Machine {
		case elf.EM_X86_64:
			if r.Kind = CodeAMD64; d.before.Type == elf.ET_EXEC && d.after.Type == elf.ET_EXEC && !isGo {
				r.Kind = CodeFixed
			}
		case elf.EM_AARCH64:
			r.Kind = CodeARM64
		}
	case s.Type == elf.SHT_RELA:
		r.Kind, r.Base = Relocations, d.symbols()
	case s.Type == elf.SHT_GNU_HASH:
		r.Kind, r.Base = SymbolHash, d.symbols()
	case s.Type == elf.SHT_DYNSYM:
		if names, now := d.before.Section(".dynstr"), d.after.Section(".dynstr"); names != nil && now != nil {
			r.Kind, r.Base = Symbols, d.base(Base{int64(names.Addr), int64(now.Addr)})
		}
	case s.Name == ".eh_frame":
		r.Kind = EHFrame
	case s.Name == ".eh_frame_hdr":
		if inside(int64(twin.Offset), int64(twin.FileSize), int64(len(d.new))) && twin.Type != elf.SHT_NOBITS {
			r.Kind, r.Base = EHIndex, d.base(Base{int64(s.Addr), int64(twin.Addr)})
			d.p.indexAt = Span{r.Offset, int64(twin.Offset), int64(twin.FileSize)}
		}
	case isGo:
		d.goSection(r, s)
	case slices.Contains([]string{".data.rel.ro", ".data", ".got", ".got.plt", ".init_array", ".fini_array", ".dynamic"}, s.Name),
		d.before.Type == elf.ET_EXEC && d.after.Type == elf.ET_EXEC && slices.Contains([]string{".rodata", ".PyRuntime"}, s.Name):
		r.Kind = Pointers
	case s.Name == ".rodata" && d.before.Machine == elf.EM_X86_64 && d.old != nil:
		r.Kind = JumpTables
		d.jumpTables(s)
	}
	if r.Kind < kinds {
		d.p.Regions = append(d.p.Regions, r)
	}
}

// symbols returns the base of the dynamic symbols, which is 0 where there are none.
func (d *describer) symbols() int {
	then, now := d.before.SectionByType(elf.SHT_DYNSYM), d.after.SectionByType(elf.SHT_DYNSYM)
	var b Base
	if then != nil && now != nil {
		b = Base{int64(then.Addr), int64(now.Addr)}
	}
	if at := slices.Index(d.p.Bases, b); at >= 0 {
		return at
	}
	return d.base(b)
}

func (d *describer) base(b ...Base) int {
	n := len(d.p.Bases)
	d.p.Bases = append(d.p.Bases, b...)
	return n
}

// Masked returns b, an ELF file, with the references in its code blanked out: moved code is then the
// same wherever it calls. Other files it returns as they are.
func Masked(b []byte, exact bool) []byte {
	f := open(b)
	if f == nil || int64(len(b)) > maxFile {
		return b
	}
	d := &describer{before: f, after: f}
	d.p = &Program{Old: bytes.NewReader(b), Size: int64(len(b)), OldLoads: loads(f), view: blank, self: true}
	if exact {
		d.p.view = targets
	}
	d.p.NewLoads = d.p.OldLoads
	for _, s := range f.Sections {
		if (s.Flags&elf.SHF_EXECINSTR != 0 || exact && s.Name == ".eh_frame") && s.Type != elf.SHT_NOBITS && s.FileSize > 0 && inside(int64(s.Offset), int64(s.FileSize), d.p.Size) && len(d.p.Regions) < MaxRegions {
			d.section(s, s, false)
		}
	}
	slices.SortFunc(d.p.Regions, func(a, b Region) int { return compare(a.Offset, b.Offset) })
	if d.p.Prepare() != nil {
		return b
	}
	masked := make([]byte, 0, len(b))
	err := d.p.Copy(0, 0, d.p.Size, func(b []byte) error {
		masked = append(masked, b...)
		return nil
	})
	if err != nil {
		return b
	}
	return masked
}
