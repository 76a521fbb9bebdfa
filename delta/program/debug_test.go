package program

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// Where the parts of debugFile stand.
const (
	debugFileInfo = 0x80
	debugFileSize = 0x1000
)

// debugFile is a file of abbreviations and, at debugFileInfo, units of .debug_info that have references of
// all kinds.
func debugFile() []byte {
	b := make([]byte, debugFileSize)
	copy(b, []byte{
		1, 0x11, 1, // a compile unit that has children:
		0x10, 0x17, // where its lines stand
		0x55, 0x17, // and its ranges
		0x03, 0x08, // its name
		0x25, 0x0e, // and who made it, in .debug_str
		0, 0,
		2, 0x34, 0, // a variable:
		0x49, 0x10, // its type, anywhere
		0x49, 0x13, // or in the unit
		0x11, 0x01, // an address
		0x02, 0x18, // where it is, to be computed
		0x3f, 0x19, // it is external
		0x3b, 0x21, 5, // the line is 5
		0x3a, 0x0f, // and the file
		0, 0,
		0,
	})
	le := binary.LittleEndian
	unit := []byte{1, 0x20, 0x09, 0, 0, 0, 0, 0, 0, 'm', '.', 'c', 0}
	le.PutUint32(unit[5:], 0x908)
	unit = le.AppendUint32(unit, 0x910)
	unit = append(unit, 2)
	unit = le.AppendUint32(unit, 0x920)
	unit = le.AppendUint32(unit, 0x14)
	unit = le.AppendUint64(unit, debugMemory+0x930)
	unit = le.AppendUint64(append(unit, 9, opAddress), debugMemory+0x940)
	unit = append(unit, 0x81, 1, 0)
	for at, version := debugFileInfo, uint16(4); version <= 5; version++ {
		head := []byte{0, 0, byte(version), 0, 0, 0, 0, 0, 8} // the version, 32 bits of place, 8 bytes an address
		if version == 5 {
			head = []byte{0, 0, byte(version), 0, 1, 8, 0, 0, 0, 0}
		}
		head = head[2:]
		le.PutUint32(b[at:], uint32(len(head)+len(unit)))
		at += 4 + copy(b[at+4:], append(head, unit...))
	}
	return b
}

// TestDebugInfo lets a file grow in front of 0x900: what .debug_info says of places behind goes with them.
func TestDebugInfo(t *testing.T) {
	b := debugFile()
	p := code(DebugInfo, b, 0x900, 0x40)
	p.Regions[0].Offset, p.Regions[0].Size = debugFileInfo, 0x400
	p.OldLoads[0].Address, p.NewLoads[0].Address = debugMemory, debugMemory
	for range debugBases {
		p.Bases = append(p.Bases, Base{debugMemory, debugMemory})
	}
	got := project(t, p, debugFileInfo, debugFileInfo, 0x400)
	want := bytes.Clone(b[debugFileInfo:][:0x400])
	found := 0
	for _, place := range []uint32{0x908, 0x920, 0x910, 0x930, 0x940} {
		old := binary.LittleEndian.AppendUint32(nil, place)
		for at := 0; ; {
			n := bytes.Index(want[at:], old)
			if n < 0 {
				break
			}
			at += n
			binary.LittleEndian.PutUint32(want[at:], place+0x40)
			found++
		}
	}
	if found != 2*6 {
		t.Fatalf("%d references in the test's file", found)
	}
	if !bytes.Equal(got, want) {
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("byte %x is %02x, want %02x", i, got[i], want[i])
			}
		}
	}
}

// TestDebugUnit lets a unit grow inside: what it says of itself is from its beginning.
func TestDebugUnit(t *testing.T) {
	b := debugFile()
	p := code(DebugInfo, b, debugFileInfo+0x12, 0x40)
	p.Regions[0].Offset, p.Regions[0].Size = debugFileInfo, 0x400
	p.OldLoads[0].Address, p.NewLoads[0].Address = debugMemory, debugMemory
	for range debugBases {
		p.Bases = append(p.Bases, Base{debugMemory, debugMemory})
	}
	got := project(t, p, debugFileInfo+0x12, debugFileInfo+0x52, 0x100)
	at := bytes.Index(b[debugFileInfo+0x12:], []byte{0x14, 0, 0, 0})
	if v := binary.LittleEndian.Uint32(got[at:]); v != 0x54 {
		t.Errorf("a reference in the unit that grew is %x", v)
	}
	if other := bytes.LastIndex(b[debugFileInfo+0x12:][:0x100], []byte{0x14, 0, 0, 0}); binary.LittleEndian.Uint32(got[other:]) != 0x14 {
		t.Errorf("a reference in the unit that moved is %x", binary.LittleEndian.Uint32(got[other:]))
	}
}

// TestDebugTables projects what .debug_frame, .debug_line and .debug_addr say of code.
func TestDebugTables(t *testing.T) {
	le := binary.LittleEndian
	frame := []byte{4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0, 0, 0, 0}
	frame = le.AppendUint64(le.AppendUint64(frame, 0x400000+900), 200)
	line := append(bytes.Repeat([]byte{0, 9, 3}, 30_000), 0, 9, 2)
	address := le.AppendUint64(nil, 0x400000+1200)
	for _, c := range []struct {
		name string
		kind Kind
		b    []byte
		at   int
		want uint64
	}{
		{"length of a function", DebugFrame, frame, 24, 264},
		{"address of lines", DebugLines, append(line, address...), len(line), 0x400000 + 1264},
		{"table of addresses", DebugAddresses, append(make([]byte, 8), address...), 8, 0x400000 + 1264},
	} {
		size := max(4096, len(c.b))
		b := make([]byte, size)
		copy(b, c.b)
		p := code(c.kind, b, 1000, 64)
		p.Bases = []Base{{0x400000, 0x400000}}
		p.Regions[0].Size = int64(len(c.b))
		p.OldLoads = []Load{{0, 0x400000, int64(size), int64(size)}}
		got := project(t, p, 0, 0, int64(size))
		if v := le.Uint64(got[c.at:]); v != c.want {
			t.Errorf("%s is %x, want %x", c.name, v, c.want)
		}
	}
}
