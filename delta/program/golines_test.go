package program

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
)

// counterTable packs pairs of a value and its end as compilers do.
func counterTable(pairs ...int64) []byte {
	var b []byte
	value, end := int64(-1), int64(0)
	for i := 0; i < len(pairs); i += 2 {
		b = binary.AppendUvarint(b, zigzag(pairs[i]-value))
		b = binary.AppendUvarint(b, uint64(pairs[i+1]-end))
		value, end = pairs[i], pairs[i+1]
	}
	return append(b, 0)
}

// linesTable holds lines of two files that moved.
func linesTable(a, b int64) []byte {
	return counterTable(120+a, 8, 125+a, 20, 50+b, 25, 51+b, 30, 130+a, 60)
}

// Where linesFile puts tables in newGoFile's.
const (
	testLines   = testPC + 201 // what the record says
	testNamed   = testPC + 101
	testInlined = testPC + 300
)

// linesFile is a function of two files, names at 300 and 320, with calls inlined.
func linesFile() *goFile {
	f := newGoFile(goMagic120, 44, 16, 4)
	f.b[6] = 1
	f.put(testUnits+4, 0, 0, 300)
	f.put(testUnits+8, 0, 0, 320)
	f.put(testRecord+28, 0, 0, 3)
	f.put(testRecord+36, 0, 0, 120)
	f.put(testRecord+44+8, 0, 0, testInlined-testPC)
	f.data(testRecord+44+12, 16, 4)
	copy(f.b[testLines:], linesTable(0, 0))
	copy(f.b[testNamed:], counterTable(0, 20, 1, 30, 0, 60))
	copy(f.b[testInlined:], counterTable(-1, 20, 1, 30, -1, 60))
	f.put(testData+24+8, 0, 0, 25)
	f.put(testData+24+16+8, 0, 0, 26)
	f.put(testData+24+16+12, 0, 0, 45)
	return f
}

// TestGoLines moves the lines of one file by 3 and those of the other by 7: tables and first lines have
// to follow.
func TestGoLines(t *testing.T) {
	f := linesFile()
	p := f.program(4095, 0)
	l := Load{Address: goLineBase, Memory: goLineMemory}
	p.OldLoads, p.NewLoads = append(p.OldLoads, l), append(p.NewLoads, l)
	p.Anchors = []Anchor{{goLine(300, 0), goLine(300, 3)}, {goLine(320, 0), goLine(320, 7)}}
	want := bytes.Clone(f.b)
	copy(want[testLines:], linesTable(3, 7))
	binary.LittleEndian.PutUint32(want[testRecord+36:], 123)
	binary.LittleEndian.PutUint32(want[testData+24+16+12:], 52)
	got := project(t, p, 0, 0, 4095)
	if !bytes.Equal(got, want[:4095]) {
		t.Errorf("not as expected at %d: % x, want % x", differ(got, want), got[testLines:][:14], want[testLines:][:14])
	}
	var pieces []byte
	for at := int64(0); at < 4095; at++ { // references that a piece cuts stay
		pieces = append(pieces, project(t, p, at, at, 1)...)
	}
	if len(pieces) != 4095 {
		t.Errorf("%d bytes in pieces", len(pieces))
	}
}

// TestLearnLines finds out from the new file where lines went.
func TestLearnLines(t *testing.T) {
	f := linesFile()
	p := f.program(4095, 0)
	l := Load{Address: goLineBase, Memory: goLineMemory}
	p.OldLoads, p.NewLoads = append(p.OldLoads, l), append(p.NewLoads, l)
	p.Regions[0].Size = 3900
	p.Regions = append(p.Regions, Region{Kind: GoBuckets, Offset: 3900, Size: 100, Base: len(p.Bases)})
	for _, at := range []int64{3900, testText, testText + 480, testTable, testTable + 8, testText} {
		p.Bases = append(p.Bases, Base{testAddress + at, testAddress + at})
	}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	new := bytes.Clone(f.b)
	copy(new[testLines:], linesTable(3, 7))
	if err := p.Learn(new); err != nil {
		t.Fatal(err)
	}
	var got []byte
	if err := p.Copy(0, 0, 4095, func(b []byte) error { got = append(got, b...); return nil }); err != nil {
		t.Fatal(err)
	}
	if at := differ(got[testLines:][:14], new[testLines:]); at != 14 {
		t.Errorf("lines differ from those learned at %d: % x", at, got[testLines:][:14])
	}
}

// TestLongTables gives tables of program counters that never end, or run in a circle of nothing.
func TestLongTables(t *testing.T) {
	for _, fill := range []byte{0x00, 0x01, 0x7f, 0x80, 0xff} {
		f := linesFile()
		for i := testPC; i < testTable; i++ {
			f.b[i] = fill
		}
		if got := project(t, f.program(1200, 64), 0, 0, 4096); len(got) != 4096 {
			t.Errorf("%d bytes", len(got))
		}
	}
}

// movedLines is linesFile's program where the lines of one file moved by 3 and those of the other by 7.
func movedLines(t *testing.T) *Program {
	t.Helper()
	p := linesFile().program(4095, 0)
	l := Load{Address: goLineBase, Memory: goLineMemory}
	p.OldLoads, p.NewLoads = append(p.OldLoads, l), append(p.NewLoads, l)
	p.Anchors = []Anchor{{goLine(300, 0), goLine(300, 3)}, {goLine(320, 0), goLine(320, 7)}}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	return p
}

// copyLines returns what the table of lines becomes.
func copyLines(t *testing.T, p *Program) []byte {
	t.Helper()
	var out []byte
	if err := p.Copy(testLines, testLines, 14, func(b []byte) error { out = append(out, b...); return nil }); err != nil {
		t.Error(err)
	}
	return out
}

// TestLinesBudget leaves a copy bytes for two pairs, of which each has two: the others stay, and the next copy
// has as many again.
func TestLinesBudget(t *testing.T) {
	p := movedLines(t)
	p.lines.spare = 4 - goPartTimes*14
	want := slices.Concat(linesTable(3, 7)[:5], linesTable(0, 0)[5:])
	for range 2 {
		if got := copyLines(t, p); !bytes.Equal(got, want) {
			t.Errorf("% x, want % x", got, want)
		}
	}
}

// TestTwin lets several project lines at once.
func TestTwin(t *testing.T) {
	p := movedLines(t)
	var wait sync.WaitGroup
	for range 4 {
		twin := p.twin()
		wait.Go(func() {
			if got, want := copyLines(t, twin), linesTable(3, 7); !bytes.Equal(got, want) {
				t.Errorf("% x, want % x", got, want)
			}
		})
	}
	wait.Wait()
	if (*goLines)(nil).twin() != nil {
		t.Error("nothing has a twin")
	}
}
