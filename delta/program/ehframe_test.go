package program

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// TestEHFrame projects a function's beginning and length, and the place of its language's data.
func TestEHFrame(t *testing.T) {
	b := make([]byte, 4096)
	put := func(at int, v int64) { putWord(b[at:], v) }
	put(0, 20) // a common entry with the augmentation zPLR
	copy(b[8:], "\x01zPLR\x00")
	put(24, 28) // a description
	put(28, 28)
	put(32, 900-32)
	put(36, 300) // to 1200
	b[40] = 4
	put(41, 2000-41)
	p := code(EHFrame, b, 1000, 64)
	p.Regions[0].Size = 56
	got := project(t, p, 0, 0, 1000)
	for at, want := range map[int]int64{28: 28, 32: 900 - 32, 36: 364, 41: 2064 - 41} {
		if v := word(got[at:]); v != want {
			t.Errorf("word at %d is %d, want %d", at, v, want)
		}
	}
}

// TestEHIndex makes a table of functions that changed places.
func TestEHIndex(t *testing.T) {
	b := make([]byte, 4096)
	copy(b, []byte{1, 0x1b, 3, 0x3b})
	putWord(b[4:], 3000-4)
	binary.LittleEndian.PutUint32(b[8:], 2)
	for i, v := range []int64{1000, 3000, 2000, 3100} {
		putWord(b[12+4*i:], v)
	}
	p := code(EHIndex, b, 0, 0)
	p.Regions[0].Size = 28
	p.Bases = []Base{{0x400000, 0x400000}}
	p.Spans = []Span{{0, 0, 1000}, {2000, 1000, 1000}, {1000, 2000, 1000}, {3000, 3000, 1096}}
	p.NewLoads = p.OldLoads
	got := project(t, p, 0, 0, 28)
	want := bytes.Clone(b[:28])
	for i, v := range []int64{1000, 3100, 2000, 3000} {
		putWord(want[12+4*i:], v)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// TestJumpTable projects a table's entries, and those of a copy that begins inside.
func TestJumpTable(t *testing.T) {
	b := make([]byte, 4096)
	for i, v := range []int64{2000, 500, 2004, 504} {
		putWord(b[100+4*i:], v-100)
	}
	p := code(JumpTables, b, 1000, 64)
	p.Tables = []Table{{100, 4}}
	want := []int64{2064 - 100, 500 - 100, 2068 - 100, 504 - 100}
	whole, part := project(t, p, 0, 0, 1000), project(t, p, 106, 106, 800)
	for i, v := range want {
		if got := word(whole[100+4*i:]); got != v {
			t.Errorf("entry %d is %d, want %d", i, got, v)
		}
		if i >= 2 && word(part[100+4*i-106:]) != v {
			t.Errorf("entry %d of a part is %d, want %d", i, word(part[100+4*i-106:]), v)
		}
	}
	for _, bad := range [][]Table{{{100, 0}}, {{100, 4}, {104, 1}}, {{4090, 4}}} {
		if p.Tables = bad; p.Prepare() == nil {
			t.Errorf("tables %v are taken", bad)
		}
	}
}

// TestSymbols projects a symbol's name, value and size.
func TestSymbols(t *testing.T) {
	b := make([]byte, 4096)
	putWord(b[24:], 2000-1900)
	binary.LittleEndian.PutUint64(b[32:], 0x400000+900)
	binary.LittleEndian.PutUint64(b[40:], 200)
	p := code(Symbols, b, 1000, 64)
	p.Regions[0].Size = 48
	p.Bases = []Base{{0x400000 + 1900, 0x400000 + 1964}}
	got := project(t, p, 0, 0, 1000)
	if name, value, size := word(got[24:]), word(got[32:]), word(got[40:]); name != 100 || value != 0x400000+900 || size != 264 {
		t.Errorf("name %d, value %#x, size %d", name, value, size)
	}
}
