package program

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
)

// What is not loaded at run time (symbols, DWARF) refers to itself by offsets in the file. It gets a
// place in memory that no program uses, so that references to it are projected as all others.
const debugMemory = 1 << 55

// The bases of DebugInfo, from the region's first on: sections.
const (
	debugInfo = iota
	debugAbbreviations
	debugLines
	debugLocations
	debugRanges
	debugStrings
	debugLineStrings
	debugAddresses
	debugStringOffsets
	debugBases
)

// debugSections names the sections of the bases; of two names a program has one.
var debugSections = [debugBases][]string{
	{".debug_info"}, {".debug_abbrev"}, {".debug_line"}, {".debug_loclists", ".debug_loc"}, {".debug_rnglists", ".debug_ranges"},
	{".debug_str"}, {".debug_line_str"}, {".debug_addr"}, {".debug_str_offsets"},
}

// debug describes the old file's sections that are not loaded at run time.
func (d *describer) debug() {
	if d.then = notLoaded(d.before, len(d.old)); d.then.Size == 0 || len(d.p.OldLoads) >= MaxLoads || len(d.p.NewLoads) >= MaxLoads {
		return
	}
	if d.now = notLoaded(d.after, len(d.new)); d.now.Size == 0 {
		return
	}
	d.p.OldLoads, d.p.NewLoads = append(d.p.OldLoads, d.then), append(d.p.NewLoads, d.now)
	for _, s := range d.before.Sections {
		if !isDebug(s) || !inside(int64(s.Offset), int64(s.FileSize), d.p.Size) || d.after.Section(s.Name) == nil || len(d.p.Regions) >= MaxRegions {
			continue
		}
		r := Region{Kind: kinds, Offset: int64(s.Offset), Size: int64(s.FileSize)}
		switch s.Name {
		case ".debug_info":
			r.Kind, r.Base = DebugInfo, len(d.p.Bases)
			for _, names := range debugSections {
				d.base(d.sectionBase(names...))
			}
		case ".debug_frame":
			r.Kind, r.Base = DebugFrame, d.base(d.sectionBase(s.Name))
		case ".debug_line":
			r.Kind = DebugLines
		case ".debug_addr", ".debug_ranges", ".debug_aranges":
			r.Kind = DebugAddresses
		case ".symtab":
			r.Kind, r.Base = Symbols, d.base(d.sectionBase(".strtab"))
		}
		if r.Kind < kinds {
			d.p.Regions = append(d.p.Regions, r)
		}
	}
}

// isDebug tells whether a section is in the file, as it is, and not loaded at run time.
func isDebug(s *elf.Section) bool {
	return s.Flags&(elf.SHF_ALLOC|elf.SHF_COMPRESSED) == 0 && s.Type != elf.SHT_NOBITS && s.Type != elf.SHT_NULL && s.FileSize > 0
}

// notLoaded returns the part of a file, in its place in memory, that begins with the first such section.
func notLoaded(f *elf.File, size int) Load {
	first := int64(size)
	for _, s := range f.Sections {
		if isDebug(s) && s.Offset < uint64(first) {
			first = int64(s.Offset)
		}
	}
	return Load{Offset: first, Address: debugMemory, Size: int64(size) - first, Memory: int64(size) - first}
}

// sectionBase returns where the first of some sections is that both files have; it is 0 if there is none.
func (d *describer) sectionBase(names ...string) Base {
	for _, name := range names {
		then, now := d.before.Section(name), d.after.Section(name)
		if then != nil && now != nil && isDebug(then) && isDebug(now) {
			return Base{debugMemory + int64(then.Offset) - d.then.Offset, debugMemory + int64(now.Offset) - d.now.Offset}
		}
	}
	return Base{}
}

// debugFrames notes what .debug_frame's descriptions refer to: the head, and the function and its length.
func (p *Program) debugFrames(r Region) error {
	const head, function, least = 4, 8, 20 // bytes of a description
	t := p.table(r.Offset, r.Size)
	for at := int64(0); at+8 <= r.Size && t.err == nil; {
		length := int64(t.uint32(at))
		if length < 4 || length >= 0xfffffff0 {
			break
		}
		if length >= least && t.uint32(at+head) != goNone {
			p.note(r.Offset+at+head, fromBase, r.Base)
			p.note(r.Offset+at+function, symbol, 0)
		}
		at += 4 + length
	}
	return t.err
}

// debugLines notes the addresses that programs of .debug_line set.
func (p *Program) debugLines(r Region) error {
	set := []byte{0, 9, 2} // an extended operation of 9 bytes: DW_LNE_set_address
	buf := make([]byte, 64<<10)
	for at := int64(0); at < r.Size; {
		b := buf[:min(int64(len(buf)), r.Size-at)]
		if n, err := p.Old.ReadAt(b, r.Offset+at); n < len(b) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		next := 0
		for {
			n := bytes.Index(b[next:], set)
			if n < 0 || next+n+len(set)+8 > len(b) {
				break
			}
			next += n + len(set)
			if _, ok := offset(p.OldLoads, int64(binary.LittleEndian.Uint64(b[next:])&(maxAddress-1))); ok {
				p.note(r.Offset+at+int64(next), absolute, 0)
				next += 8
			}
		}
		if at += int64(len(b)); at < r.Size {
			at = max(at-int64(len(set)+8-1), at-int64(len(b)-next))
		}
	}
	return nil
}
