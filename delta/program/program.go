// Package program predicts how the references in a program's machine code and tables change when
// its parts move.
//
// A patch that copies a moved function would otherwise have to change every call in it and to it.
// Both sides instead run the same projection: it finds references in the old bytes, takes what they
// point to through the equivalences of old and new (the copies of the patch themselves), and writes
// the reference that the new program will have. What it gets wrong is changed like any other byte:
// a projection decides what a patch costs, never whether it is right.
//
// The idea is that of Zucchini, in Chromium.
package program

import (
	"errors"
	"io"
	"slices"
)

// Load is a stretch of a file that is mapped to memory.
type Load struct {
	Offset  int64 // in the file
	Address int64 // in memory
	Size    int64 // bytes in the file
	Memory  int64 // bytes in memory: at least Size
}

// Base is an address that offsets in tables count from.
type Base struct{ Old, New int64 }

// Kind is what a region of the old file holds.
type Kind byte

// The kinds. Their numbers stand in patches.
const (
	CodeAMD64      Kind = iota // x86-64 instructions
	CodeARM64                  // AArch64 instructions
	Pointers                   // 64-bit addresses, at multiples of 8
	Offsets                    // 32-bit offsets from the region's base
	Relocations                // Elf64_Rela; base: the symbols
	Symbols                    // Elf64_Sym; base: the names
	EHFrame                    // .eh_frame
	EHIndex                    // .eh_frame_hdr
	GoFunctions                // .gopclntab of Go 1.20 and later; bases from the region's on: text, its tables
	GoTypes                    // type descriptors among pointers; bases from the region's on: types, text
	CodeFixed                  // x86-64 instructions of a program that has a fixed place in memory
	GoBuckets                  // runtime.findfunctab, made anew; bases from the region's on: itself, first and last code, functab and its end, text
	JumpTables                 // data among which the program's jump tables are
	SymbolHash                 // .gnu.hash; base: the symbols
	DebugInfo                  // .debug_info; bases from the region's on: the sections that it refers to
	DebugFrame                 // .debug_frame; base: itself
	DebugLines                 // .debug_line
	DebugAddresses             // 64-bit addresses, at multiples of 8 from the region's beginning
	kinds
)

// Region is a stretch of the old file whose references are projected.
type Region struct {
	Kind   Kind
	Offset int64
	Size   int64
	Base   int // index of the first base it uses
}

// Span says that bytes of the old file became bytes of the new one.
type Span struct{ Old, New, Size int64 }

// Anchor says where an address went that no file fills: of zeroed memory, say. It holds up to the
// next anchor.
type Anchor struct{ Old, New int64 }

// Move says where one address went, by how far that is from where spans and anchors put it, or from
// its old place where they do not.
type Move struct{ Old, By int64 }

// Limits of a program.
const (
	MaxLoads   = 16
	MaxBases   = 64
	MaxRegions = 64
	MaxSpans   = 3 << 17
	MaxSteps   = MaxSpans
	MaxAnchors = 1 << 16
	MaxMoves   = 1 << 19
	MaxTables  = 1 << 16
	// MaxTableEntries bounds one jump table.
	MaxTableEntries = 1 << 16
	maxRefs         = 2 << 20
	maxFile         = 1 << 31 // bytes of the old file
	maxGroups       = 1 << 20
)

// Program projects references. Spans have to be in the order of the new file and need not cover it.
type Program struct {
	Old      io.ReaderAt
	Size     int64 // bytes of the old file
	OldLoads []Load
	NewLoads []Load
	Bases    []Base
	Regions  []Region // by offset, without overlaps
	Spans    []Span
	Anchors  []Anchor // by old address
	Moves    []Move   // by old address
	Tables   []Table  // by offset, without overlaps
	Derived  []Span   // what a builder copies, whatever it finds, because projection makes it anew
	Hints    []Hint   // by new offset; only for who searches for spans
	sorted   []Span

	moved   exact
	shifts  shifts
	floor   int64  // below it nothing is known to move
	byOld   []Span // by old offset, without overlaps
	refs    []ref  // in tables, by position
	groups  []group
	units   []uint32 // offsets of units of .debug_info
	buckets []byte   // findfunctab of the new file
	index   []byte   // .eh_frame_hdr of the new file
	indexAt Span     // where it stands
	lines   *goLines
	view    view
	self    bool      // the new program is the old one
	last    int       // the span of byOld found last
	anchor  int       // how many anchors are up to the address looked up last
	upTo    []int32   // how many spans of byOld begin before each stretch of the old file
	lows    []lowBits // of instructions that are still to be projected
	learn   *learner
	noting  bool // references are noted in noted
	noted   Unit
	again   [MaxInstruction]byte
}

// view is what references in code look like.
type view byte

const (
	projected view = iota
	blank          // zeros
	targets        // the low bits of the new addresses that they name, wherever they stand
)

// ErrInvalid says that a program's numbers contradict each other.
var ErrInvalid = errors.New("program description is invalid")

// Description returns p's numbers without the old file and without what Prepare found in it.
func (p *Program) Description() *Program {
	return &Program{Size: p.Size, OldLoads: p.OldLoads, NewLoads: p.NewLoads, Bases: p.Bases, Regions: p.Regions, Anchors: p.Anchors, Moves: p.Moves, Tables: p.Tables}
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

const maxAddress = 1 << 62

func (p *Program) valid() bool {
	if p.Size < 0 || p.Size > maxFile || len(p.OldLoads) > MaxLoads || len(p.NewLoads) > MaxLoads || len(p.Bases) > MaxBases ||
		len(p.Regions) > MaxRegions || len(p.Spans) > MaxSpans || len(p.Anchors) > MaxAnchors || len(p.Moves) > MaxMoves ||
		len(p.Tables) > MaxTables {
		return false
	}
	for _, l := range append(slices.Clone(p.OldLoads), p.NewLoads...) {
		if !inside(l.Offset, l.Size, 1<<40) || !inside(l.Address, l.Memory, maxAddress) || l.Size > l.Memory {
			return false
		}
	}
	end := int64(0)
	for _, r := range p.Regions {
		if r.Kind >= kinds || r.Offset < end || !inside(r.Offset, r.Size, p.Size) || r.Base < 0 || r.Base+p.needs(r.Kind) > len(p.Bases) {
			return false
		}
		end = r.Offset + r.Size
	}
	for _, s := range p.Spans {
		if s.Size <= 0 || !inside(s.Old, s.Size, p.Size) || !inside(s.New, s.Size, 1<<40) {
			return false
		}
	}
	return p.validTables() && slices.IsSortedFunc(p.Anchors, func(a, b Anchor) int { return compare(a.Old, b.Old) }) &&
		slices.IsSortedFunc(p.Moves, func(a, b Move) int { return compare(a.Old, b.Old) })
}

// needs returns how many bases a kind uses.
func (p *Program) needs(k Kind) int {
	switch k {
	case Offsets, Symbols, EHIndex, Relocations, SymbolHash, DebugFrame:
		return 1
	case DebugInfo:
		return debugBases
	case GoFunctions:
		return goFunctionBases
	case GoTypes:
		return goTypeBases
	case GoBuckets:
		return goBucketsBases
	}
	return 0
}

func inside(offset, size, limit int64) bool {
	return offset >= 0 && size >= 0 && offset <= limit && size <= limit-offset
}

// address returns where an offset of a file is in memory.
func address(loads []Load, offset int64) (int64, bool) {
	for _, l := range loads {
		if offset >= l.Offset && offset < l.Offset+l.Size {
			return l.Address + offset - l.Offset, true
		}
	}
	return 0, false
}

// offset returns where an address of memory is in the file; it is negative for memory that no file
// fills, and not ok for an address outside of the program.
func offset(loads []Load, address int64) (int64, bool) {
	for _, l := range loads {
		if address >= l.Address && address < l.Address+l.Memory {
			if address-l.Address < l.Size {
				return l.Offset + address - l.Address, true
			}
			return -1, true
		}
	}
	return 0, false
}

// Target returns where an address of the old program went; it is not ok if that is not known.
func (p *Program) Target(old int64) (int64, bool) {
	if new, ok := p.moved.find(old); ok {
		return new, true
	}
	return p.guess(old)
}

// guess is Target without regard to Moves.
func (p *Program) guess(old int64) (int64, bool) {
	at, ok := offset(p.OldLoads, old)
	if !ok {
		return 0, false
	}
	if at < 0 {
		return p.anchored(old)
	}
	if p.last < len(p.byOld) {
		if s := &p.byOld[p.last]; at >= s.Old && at < s.Old+s.Size {
			return address(p.NewLoads, s.New+at-s.Old)
		}
	}
	n := p.spansUpTo(at)
	if n > 0 {
		if s := p.byOld[n-1]; at < s.Old+s.Size {
			p.last = n - 1
			return address(p.NewLoads, s.New+at-s.Old)
		}
	}
	return p.between(n, at)
}

// between returns where an old offset went that lies between spans n-1 and n: as the larger of them.
func (p *Program) between(n int, at int64) (int64, bool) {
	if len(p.byOld) == 0 {
		return 0, false
	}
	s := p.nearest(n)
	return address(p.NewLoads, s.New+at-s.Old)
}

func (p *Program) anchored(old int64) (int64, bool) {
	if n := p.anchor; n > 0 && n <= len(p.Anchors) && p.Anchors[n-1].Old <= old && (n == len(p.Anchors) || old < p.Anchors[n].Old) {
		return old + p.Anchors[n-1].New - p.Anchors[n-1].Old, true
	}
	n := upTo(p.Anchors, old)
	p.anchor = n
	if n == 0 {
		return 0, false
	}
	return old + p.Anchors[n-1].New - p.Anchors[n-1].Old, true
}

// regionAt returns the region at an offset, or nil, and where that ends.
func (p *Program) regionAt(at int64) (*Region, int64) {
	for i := range p.Regions {
		r := &p.Regions[i]
		if at < r.Offset {
			return nil, r.Offset
		}
		if at < r.Offset+r.Size {
			return r, r.Offset + r.Size
		}
	}
	return nil, maxAddress
}
