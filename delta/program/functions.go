package program

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"slices"
)

// Function is where a function's code lies in a file.
type Function struct{ Offset, Size int64 }

// Functions lists the functions of an ELF file by what its tables say, in ascending order: Go's function table, or else the
// index of .eh_frame. A file without them has none. It serves reports; nothing of a patch depends on it.
func Functions(r io.ReaderAt) []Function {
	f, err := elf.NewFile(r)
	if err != nil || f.ByteOrder != binary.LittleEndian || f.Class != elf.ELFCLASS64 {
		return nil
	}
	starts := goFunctions(f)
	if starts == nil {
		starts = frames(f)
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	var list []Function
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_EXECINSTR == 0 || s.Type == elf.SHT_NOBITS {
			continue
		}
		first, _ := slices.BinarySearch(starts, s.Addr)
		for i := first; i < len(starts) && starts[i] < s.Addr+s.Size; i++ {
			end := s.Addr + s.Size
			if i+1 < len(starts) {
				end = min(end, starts[i+1])
			}
			list = append(list, Function{int64(s.Offset + starts[i] - s.Addr), int64(end - starts[i])})
		}
	}
	slices.SortFunc(list, func(a, b Function) int { return compare(a.Offset, b.Offset) })
	return list
}

// maxWhole bounds a table that is read into memory.
const maxWhole = 256 << 20

// wholeSection reads a section whole; it is nil if there is none, or one that cannot be read.
func wholeSection(f *elf.File, name string) (*elf.Section, []byte) {
	s := f.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS || s.Size > maxWhole {
		return nil, nil
	}
	b, err := s.Data()
	if err != nil {
		return nil, nil
	}
	return s, b
}

// goFunctions reads the function table of Go 1.18 and later: runtime.pcHeader, then pairs of 32-bit offsets.
func goFunctions(f *elf.File) []uint64 {
	const header, count, text, at = 72, 8, 24, 64
	_, b := wholeSection(f, ".gopclntab")
	code := f.Section(".text")
	if len(b) < header || code == nil {
		return nil
	}
	le := binary.LittleEndian
	if magic := le.Uint32(b); magic != 0xfffffff0 && magic != 0xfffffff1 {
		return nil
	}
	base := le.Uint64(b[text:])
	if base < code.Addr || base >= code.Addr+code.Size {
		base = code.Addr
	}
	n, begin := le.Uint64(b[count:]), le.Uint64(b[at:])
	if begin > uint64(len(b)) || n > (uint64(len(b))-begin)/8 {
		return nil
	}
	starts := make([]uint64, n)
	for i := range starts {
		starts[i] = base + uint64(le.Uint32(b[begin+8*uint64(i):]))
	}
	return starts
}

// frames reads .eh_frame_hdr in the one form that linkers write: a table of pairs of offsets from the section.
func frames(f *elf.File) []uint64 {
	const header = 12
	s, b := wholeSection(f, ".eh_frame_hdr")
	if len(b) < header || string(b[:4]) != "\x01\x1b\x03\x3b" {
		return nil
	}
	le := binary.LittleEndian
	n := uint64(le.Uint32(b[8:]))
	if n > uint64(len(b)-header)/8 {
		return nil
	}
	starts := make([]uint64, n)
	for i := range starts {
		starts[i] = s.Addr + uint64(int64(int32(le.Uint32(b[header+8*i:]))))
	}
	return starts
}
