package program

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
)

// Where goFile puts things.
const (
	testNames   = 200
	testUnits   = 1000
	testFiles   = 1008
	testPC      = 1500
	testTable   = 2000
	testRecord  = 2020
	testData    = 2520
	testText    = 3000
	testROData  = 3500
	testAddress = 0x400000
)

// reference is one that a test expects to be found: its place, and where its offset counts from.
type reference struct{ at, base, scale int64 }

type goFile struct {
	b    []byte
	refs []reference
}

func (f *goFile) put(at, base, scale int64, value uint32) {
	binary.LittleEndian.PutUint32(f.b[at:], value)
	if base != 0 {
		f.refs = append(f.refs, reference{at, base, scale})
	}
}

// newGoFile makes a function table of one function that has a stack object, two inlined calls and a
// wrapped function.
func newGoFile(magic uint32, record, inline, name int64) *goFile {
	f := &goFile{b: make([]byte, 4096)}
	for at, v := range map[int64]uint32{0: magic, 4: 8 << 24, goHeaderCount: 1, goHeaderUnits: testUnits, goHeaderFiles: testFiles, goHeaderTable: testTable} {
		f.put(at, 0, 0, v)
	}
	f.put(testUnits, testFiles, 1, 300)
	f.put(testUnits+4, 0, 0, goNone)
	f.put(testTable, testText, 1, 16)
	f.put(testTable+4, testTable, 1, testRecord-testTable)
	f.put(testTable+8, testText, 1, 480)
	f.put(testRecord, testText, 1, 16)
	f.put(testRecord+4, testNames, 1, 400)
	f.put(testRecord+8, 0, 0, 77)
	for i := range int64(3) {
		f.put(testRecord+16+4*i, testPC, 1, uint32(100*i+1))
	}
	f.put(testRecord+28, 0, 0, 2)
	f.put(testRecord+32, testUnits, 4, 1)
	f.put(testRecord+record-4, 0, 0, 9<<24)
	f.put(testRecord+record, testPC, 1, 400)
	f.data(testRecord+record+8, inline, name)
	return f
}

// data puts a function's data, and their offsets at an offset.
func (f *goFile) data(at, inline, name int64) {
	calls := int64(24)
	wrapped := calls + 2*inline
	for i, v := range []uint32{uint32(wrapped + 4), goNone, 0, uint32(calls), goNone, goNone, goNone, uint32(wrapped), uint32(wrapped + 8)} {
		base := int64(testData)
		if v == 0 || v == goNone {
			base = 0
		}
		f.put(at+4*int64(i), base, 1, v)
	}
	f.put(testData, 0, 0, 1)
	f.put(testData+8+12, testROData, 1, 200)
	f.put(testData+calls+name, testNames, 1, 500)
	f.put(testData+calls+inline+name, testNames, 1, 700)
	f.put(testData+wrapped, testText, 1, 300)
}

// program returns one whose bytes from an offset on moved.
func (f *goFile) program(at, moved int64) *Program {
	p := code(GoFunctions, f.b, at, moved)
	for _, base := range []int64{testText, testNames, testUnits, testFiles, testPC, testTable, testData, testROData} {
		p.Bases = append(p.Bases, Base{testAddress + base, testAddress + went(base, at, moved)})
	}
	return p
}

func went(at, from, moved int64) int64 {
	if at >= from {
		return at + moved
	}
	return at
}

// TestGoFunctions moves all that lies behind an offset, for many offsets: each reference has to follow
// its target, and nothing else may change.
func TestGoFunctions(t *testing.T) {
	for name, f := range map[string]*goFile{
		"Go 1.20": newGoFile(goMagic120, 44, 16, 4),
		"Go 1.18": newGoFile(goMagic118, 40, 20, 12),
	} {
		for at := int64(4); at < 4096; at += 52 {
			const moved = 64
			want := bytes.Clone(f.b)
			for _, r := range f.refs {
				v := int64(binary.LittleEndian.Uint32(f.b[r.at:]))
				v = (went(r.base+v*r.scale, at, moved) - went(r.base, at, moved)) / r.scale
				binary.LittleEndian.PutUint32(want[r.at:], uint32(v))
			}
			p := f.program(at, moved)
			got := append(project(t, p, 0, 0, at), project(t, p, at, at+moved, 4096-at)...)
			if !bytes.Equal(got, want) {
				t.Fatalf("%s, moved from %d on: not as expected at %d", name, at, differ(got, want))
			}
		}
	}
}

// differ returns where two slices differ first.
func differ(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// TestAbsurdGoFunctions gives tables that contradict themselves: they are projected as any bytes.
func TestAbsurdGoFunctions(t *testing.T) {
	for name, change := range map[string]func(f *goFile){
		"unknown magic":                 func(f *goFile) { f.put(0, 0, 0, 0xfffffffa) },
		"pointers of four bytes":        func(f *goFile) { f.b[7] = 4 },
		"too many functions":            func(f *goFile) { f.put(goHeaderCount, 0, 0, 1<<30) },
		"a negative count of functions": func(f *goFile) { f.put(goHeaderCount+4, 0, 0, 1<<31) },
		"functions beyond the table":    func(f *goFile) { f.put(goHeaderTable, 0, 0, 4090) },
	} {
		f := newGoFile(goMagic120, 44, 16, 4)
		change(f)
		p := f.program(1200, 64)
		if got := project(t, p, 0, 0, 1200); !bytes.Equal(got, f.b[:1200]) || len(p.groups) > 0 {
			t.Errorf("%s: %d groups, changed at %d", name, len(p.groups), differ(got, f.b))
		}
	}
	for name, change := range map[string]func(f *goFile){
		"units in the wrong order":   func(f *goFile) { f.put(goHeaderUnits, 0, 0, 1500) },
		"a record beyond the table":  func(f *goFile) { f.put(testTable+4, 0, 0, 1<<31) },
		"more counters than fit":     func(f *goFile) { f.put(testRecord+28, 0, 0, 60000) },
		"data beyond the file":       func(f *goFile) { f.put(testRecord+52+12, 0, 0, 1<<30) },
		"data at the region's start": func(f *goFile) { f.put(testRecord+52+12, 0, 0, 1<<32-testData) },
	} {
		f := newGoFile(goMagic120, 44, 16, 4)
		change(f)
		if got := project(t, f.program(1200, 64), 0, 0, 4096); len(got) != 4096 {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}

// TestOwnTables finds the tables of this test's own binary.
func TestOwnTables(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	p := Describe(self, self)
	if p == nil {
		t.Fatal("not described")
	}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	found := map[layout]int{}
	for _, g := range p.groups {
		found[g.layout] += int(g.count)
	}
	for l, least := range map[layout]int{
		layoutFunctions: 2000, layoutUnits: 100, layoutRecord: 2000, layoutInline: 2000, layoutObject: 100, layoutWrapped: 1,
		layoutType: 1000, layoutUncommon: 300, layoutMethod: 1000, layoutInterface: 200, layoutName: 1,
	} {
		if found[l] < least {
			t.Errorf("%d items of layout %d, want %d", found[l], l, least)
		}
	}
}
