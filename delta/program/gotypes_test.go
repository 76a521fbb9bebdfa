package program

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// typesFile makes one of a struct type at 64 that has a method, whose names at 1000 and 1100 have their
// packages' path at 1200.
func typesFile() []byte {
	b := make([]byte, 2048)
	word := func(at int, v uint64) { binary.LittleEndian.PutUint64(b[at:], v) }
	half := func(at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }
	word(64, 16)                          // size
	word(72, 8)                           // pointers
	copy(b[84:], []byte{1, 8, 8, 25})     // flags, alignments, kind
	word(64+goTypeEqual, testAddress+500) //
	word(64+goTypeMask, testAddress+1800) //
	half(104, 1300)                       // its text
	half(108, 1400)                       // the type of its pointers
	word(120, testAddress+600)            // fields
	word(128, 1)
	word(600, testAddress+1000)
	half(144, 1200) // uncommon
	half(148, 1)
	half(152, 16)
	half(160, 1100) // the method
	half(164, 1500)
	half(168, 40)
	half(172, goNone)
	copy(b[1000:], "\x04\x03abc")
	half(1005, 1200)
	copy(b[1100:], "\x06\x02de\x01f")
	half(1106, 1200)
	return b
}

// TestGoTypes moves all from 1150 on: offsets of what lies there have to follow, and addresses too.
func TestGoTypes(t *testing.T) {
	b := typesFile()
	p := code(GoTypes, b, 1150, 64)
	p.OldLoads[0].Address, p.NewLoads[0].Address = testAddress, testAddress
	p.Bases = []Base{{testAddress, testAddress}, {testAddress + 1600, testAddress + 1664}}
	want := bytes.Clone(b)
	for _, at := range []int{64 + goTypeMask, 104, 108, 144, 164, 1005, 1106} {
		binary.LittleEndian.PutUint32(want[at:], binary.LittleEndian.Uint32(want[at:])+64)
	}
	if got := project(t, p, 0, 0, 1150); !bytes.Equal(got, want[:1150]) {
		t.Errorf("not as expected at %d", differ(got, want))
	}
}

// TestGoTypesLow does the same where programs lie so low that offsets look like addresses: only one of
// the two may move them.
func TestGoTypesLow(t *testing.T) {
	b := typesFile()
	for _, at := range []int{64 + goTypeEqual, 64 + goTypeMask, 120, 600} {
		binary.LittleEndian.PutUint64(b[at:], binary.LittleEndian.Uint64(b[at:])-testAddress)
	}
	binary.LittleEndian.PutUint32(b[108:], 0)
	p := code(GoTypes, b, 1150, 64)
	p.OldLoads[0].Address, p.NewLoads[0].Address = 0, 0
	p.Bases = []Base{{0, 0}, {1600, 1664}}
	got := project(t, p, 0, 0, 1150)
	for at, want := range map[int]uint32{104: 1364, 144: 1264, 64 + goTypeMask: 1864} {
		if v := binary.LittleEndian.Uint32(got[at:]); v != want {
			t.Errorf("word at %d is %d, want %d", at, v, want)
		}
	}
}
