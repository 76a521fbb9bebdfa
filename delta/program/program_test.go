package program

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// code makes a program of one load whose code region holds b, and which grew by moved bytes in front
// of offset at.
func code(kind Kind, b []byte, at, moved int64) *Program {
	size := int64(len(b))
	return &Program{
		Old: bytes.NewReader(b), Size: size,
		OldLoads: []Load{{0, 0x400000, size, size + 4096}},
		NewLoads: []Load{{0, 0x400000, size + moved, size + moved + 4096}},
		Regions:  []Region{{Kind: kind, Size: size}},
		Spans:    []Span{{0, 0, at}, {at, at + moved, size - at}},
	}
}

func project(t testing.TB, p *Program, old, new, size int64) []byte {
	t.Helper()
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	var out []byte
	if err := p.Copy(old, new, size, func(b []byte) error { out = append(out, b...); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAMD64(t *testing.T) {
	b := bytes.Repeat([]byte{0x90}, 4096)
	b[10] = 0xe8 // call 2000
	binary.LittleEndian.PutUint32(b[11:], 2000-15)
	copy(b[100:], []byte{0x48, 0x8d, 0x05}) // lea rax, [3000]
	binary.LittleEndian.PutUint32(b[103:], 3000-107)
	copy(b[200:], []byte{0x0f, 0x84}) // je 150: does not cross the place that grew
	back := int32(150 - 206)
	binary.LittleEndian.PutUint32(b[202:], uint32(back))
	got := project(t, code(CodeAMD64, b, 1000, 64), 0, 0, 1000)
	for at, want := range map[int]uint32{11: 2064 - 15, 103: 3064 - 107, 202: uint32(back)} {
		if v := binary.LittleEndian.Uint32(got[at:]); v != want {
			t.Errorf("displacement at %d is %d, want %d", at, int32(v), int32(want))
		}
	}
}

func TestARM64(t *testing.T) {
	b := make([]byte, 0x4000)
	put := func(at int, w uint32) { binary.LittleEndian.PutUint32(b[at:], w) }
	put(0x10, 0x94000000|(0x2000-0x10)/4)      // bl 0x2000
	put(0x20, 0x90000000|3)                    // adrp x3, page of 0x20
	put(0x24, 0x91000000|0x123<<10|3<<5|3)     // add x3, x3, 0x123
	put(0x30, 0x90000000|1<<29|5)              // adrp x5, the page after
	put(0x34, 0xf9400000|(0xff8/8)<<10|5<<5|5) // ldr x5, [x5, 0xff8]
	got := project(t, code(CodeARM64, b, 0x1000, 64), 0, 0, 0x1000)
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(got[at:]) }
	if w := word(0x10); w != 0x94000000|(0x2040-0x10)/4 {
		t.Errorf("bl is %x", w)
	}
	if word(0x20) != 0x90000003 || word(0x24) != 0x91000000|0x123<<10|3<<5|3 {
		t.Errorf("a pair that stays is %x %x", word(0x20), word(0x24))
	}
	// 0x1ff8 goes to 0x2038: two pages on.
	if word(0x30) != 0x90000000|2<<29|5&0x1f && word(0x30) != 0xd0000005 || word(0x34) != 0xf9400000|(0x38/8)<<10|5<<5|5 {
		t.Errorf("a pair that moves is %x %x", word(0x30), word(0x34))
	}
}

// TestARM64Pages puts instructions, and the end of a part, between ADRP and those that add low bits.
func TestARM64Pages(t *testing.T) {
	const (
		adrp = 0x90000000 | 1<<29 // the page after
		add  = 0x91000000
		ldr  = 0xf9400000 // 64 bits
		ret  = 0xd65f03c0
		nop  = 0xd503201f
	)
	low := func(of uint32, by uint32, from, to uint32) uint32 { return of | by<<10 | from<<5 | to }
	for _, c := range []struct {
		name      string
		code, has []uint32 // nops where there is 0
	}{
		{"far", []uint32{adrp | 3, 0, 0, low(add, 0x20, 3, 4)}, []uint32{adrp | 3, 0, 0, low(add, 0x60, 3, 4)}},
		{"two", []uint32{adrp | 3, low(ldr, 4, 3, 4), 0, low(add, 8, 3, 5)}, []uint32{adrp | 3, low(ldr, 12, 3, 4), 0, low(add, 72, 3, 5)}},
		{"other page", []uint32{adrp | 3, low(ldr, 4, 3, 4), low(add, 0xfff, 3, 5)}, []uint32{adrp | 3, low(ldr, 12, 3, 4), low(add, 0xfff, 3, 5)}},
		{"other register", []uint32{adrp | 3, low(add, 4, 6, 4)}, []uint32{adrp | 3, low(add, 4, 6, 4)}},
		{"changed register", []uint32{adrp | 3, low(add, 4, 3, 3), low(add, 4, 3, 4)}, []uint32{adrp | 3, low(add, 68, 3, 3), low(add, 4, 3, 4)}},
		{"next page", []uint32{adrp | 3, low(add, 0xfe0, 3, 4)}, []uint32{0x90000000 | 2<<29 | 3, low(add, 0x20, 3, 4)}},
		{"end of code", []uint32{adrp | 3, ret, low(add, 4, 3, 4)}, []uint32{adrp | 3, ret, low(add, 4, 3, 4)}},
	} {
		for _, start := range []int{0x40, PartSize - 12, PartSize - 8, PartSize - 4, PartSize} {
			b := bytes.Repeat([]byte{nop & 0xff, nop >> 8 & 0xff, nop >> 16 & 0xff, nop >> 24}, 0x5000)
			border, further := int64(start)&^0xfff+0x1000, uint32(0)
			if border == PartSize {
				border, further = border+0x1000, 1<<29 // what the part's end divides leads a page further
			}
			word := func(w uint32) uint32 {
				if w&0x9f000000 == 0x90000000 {
					w += further
				}
				return w
			}
			for i, w := range c.code {
				if w != 0 {
					binary.LittleEndian.PutUint32(b[start+4*i:], word(w))
				}
			}
			got := project(t, code(CodeARM64, b, border, 64), 0, 0, border)
			for i, w := range c.has {
				if v := binary.LittleEndian.Uint32(got[start+4*i:]); w != 0 && v != word(w) {
					t.Errorf("%s: word %d at %x is %x, want %x", c.name, i, start, v, word(w))
				}
			}
		}
	}
}

// TestCopyInPieces splits a copy where references are, over parts' ends too.
func TestCopyInPieces(t *testing.T) {
	b := bytes.Repeat([]byte{0xe8, 1, 2, 0, 0}, 40_000)
	p := code(CodeAMD64, b, 150_000, 64)
	whole := project(t, p, 0, 0, 150_000)
	if len(whole) != 150_000 {
		t.Fatalf("%d bytes of 150000", len(whole))
	}
	want := binary.LittleEndian.Uint32(whole[1:])
	for at := 0; at+5 <= 65536*2; at += 5 {
		if whole[at] != 0xe8 || binary.LittleEndian.Uint32(whole[at+1:]) != want {
			t.Fatalf("call at %d is projected in another way than the first", at)
		}
	}
}

func TestWidest(t *testing.T) {
	got := widest([]Span{{0, 100, 50}, {10, 500, 5}, {40, 300, 100}})
	for _, s := range []struct{ old, new int64 }{{5, 105}, {12, 112}, {45, 305}, {100, 360}} {
		found := false
		for _, g := range got {
			if s.old >= g.Old && s.old < g.Old+g.Size {
				found = g.New+s.old-g.Old == s.new
			}
		}
		if !found {
			t.Errorf("offset %d does not go to %d: %v", s.old, s.new, got)
		}
	}
}

func TestInvalid(t *testing.T) {
	b := make([]byte, 100)
	for name, change := range map[string]func(*Program){
		"span beyond the file":   func(p *Program) { p.Spans = []Span{{90, 0, 20}} },
		"empty span":             func(p *Program) { p.Spans = []Span{{0, 0, 0}} },
		"region beyond the file": func(p *Program) { p.Regions[0].Size = 101 },
		"regions overlap":        func(p *Program) { p.Regions = append(p.Regions, Region{Size: 5}) },
		"unknown kind":           func(p *Program) { p.Regions[0].Kind = kinds },
		"base that is not there": func(p *Program) { p.Regions[0].Kind = Offsets },
		"load of no memory":      func(p *Program) { p.OldLoads[0].Memory = 1 },
		"anchors out of order":   func(p *Program) { p.Anchors = []Anchor{{5, 0}, {4, 0}} },
	} {
		p := code(CodeAMD64, b, 50, 0)
		change(p)
		if err := p.Prepare(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

// TestRealProgram projects this test's own binary onto itself: nothing may change.
func TestRealProgram(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skipf("needs /proc: %v", err)
	}
	p := Describe(self, self)
	if p == nil {
		t.Skip("this system's programs are not ELF for amd64 or arm64")
	}
	p.Spans = []Span{{0, 0, int64(len(self))}}
	if got := project(t, p, 0, 0, int64(len(self))); !bytes.Equal(got, self) {
		t.Error("a program that did not change is projected to another one")
	}
	if len(p.refs)+len(p.groups) < 1000 {
		t.Errorf("only %d references in a Go program's tables", len(p.refs))
	}
}

// TestStripped describes a program as release builds make them, without symbols.
func TestStripped(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte("package main\n\nfunc main() { println(\"hello\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		out := filepath.Join(dir, arch)
		cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", out, main)
		cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0", "GOARCH="+arch)
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, msg)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		p := Describe(b, b)
		if p == nil {
			t.Fatalf("%s: not described", arch)
		}
		found := map[Kind]bool{}
		for _, r := range p.Regions {
			found[r.Kind] = true
		}
		if !found[GoFunctions] || !found[GoTypes] || !found[CodeAMD64] && !found[CodeARM64] {
			t.Errorf("%s: regions %v", arch, p.Regions)
		}
	}
}

// FuzzProject projects any bytes by any description: no panic, as many bytes as were asked for.
func FuzzProject(f *testing.F) {
	f.Add([]byte("\xe8\x01\x00\x00\x00\x48\x8d\x05\x00\x01\x00\x00"), uint8(0), uint16(3), uint16(2), uint32(0x400000))
	f.Add(binary.LittleEndian.AppendUint64([]byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}, 2), uint8(8), uint16(0), uint16(0), uint32(0))
	f.Add([]byte("\x08\x00\x00\x00\x00\x00\x00\x00\x01zR\x00\x10\x00\x00\x00\x10\x00\x00\x00\x08\x00\x00\x00\x20\x00\x00\x00"), uint8(EHFrame), uint16(9), uint16(4), uint32(0x400000))
	f.Add([]byte("\x01\x1b\x03\x3b\x10\x00\x00\x00\x01\x00\x00\x00\x20\x00\x00\x00\x30\x00\x00\x00"), uint8(EHIndex), uint16(9), uint16(4), uint32(0x400000))
	f.Add([]byte("\xbf\x03\x00\x40\x00\x0f\xb6\x80\x04\x00\x40\x00\xeb\x02\xc5\xf8\x58\x05\x01\x00\x00\x00"), uint8(CodeFixed), uint16(9), uint16(4), uint32(0x400000))
	f.Add([]byte("\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"), uint8(SymbolHash), uint16(9), uint16(24), uint32(0x400000))
	f.Add(debugFile(), uint8(DebugInfo), uint16(9), uint16(24), uint32(0))
	f.Add([]byte("\x18\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), uint8(DebugFrame), uint16(9), uint16(24), uint32(0))
	f.Add([]byte("\x00\x09\x02\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x09\x02\x01"), uint8(DebugLines), uint16(9), uint16(24), uint32(0))
	f.Add(make([]byte, 400), uint8(9), uint16(100), uint16(8), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8, at, moved uint16, address uint32) {
		size := int64(len(b))
		if size < 2 {
			return
		}
		p := code(Kind(kind%uint8(kinds)), b, 1+int64(at)%(size-1), int64(moved))
		p.OldLoads[0].Address, p.NewLoads[0].Address = int64(address), int64(address)
		for i := range int64(max(goFunctionBases, debugBases)) {
			p.Bases = append(p.Bases, Base{int64(address) + i, int64(address) + 2*i})
		}
		p.Anchors = []Anchor{{int64(address) + size, int64(address) + size + 5}}
		p.Moves = []Move{{int64(address) + size/2, 3}}
		if p.Tables = nil; size >= 8 {
			p.Tables = []Table{{1, size/4 - 1}}
		}
		if got := project(t, p, 0, 0, size); int64(len(got)) != size {
			t.Fatalf("%d bytes of %d", len(got), size)
		}
		if moved, err := p.Moved(size%2 == 0); err != nil || int64(len(moved)) != size {
			t.Fatalf("Moved: %d bytes of %d, %v", len(moved), size, err)
		}
		if _, err := p.Within(); err != nil {
			t.Fatal(err)
		}
		Describe(b, b)
		Masked(b, true)
		Masked(b, false)
	})
}

func TestShortOldFile(t *testing.T) {
	p := code(CodeAMD64, make([]byte, 100), 50, 0)
	p.Size = 200
	p.Spans = []Span{{0, 0, 200}}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := p.Copy(0, 0, 200, func([]byte) error { return nil }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
	}
}
