package program

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// bucketsProgram makes one of a function table at 64, of functions that begin at the entries given, and
// of buckets behind it.
func bucketsProgram(entries []uint32, end uint32) (*Program, int64) {
	b := make([]byte, 64)
	for i, entry := range entries {
		b = binary.LittleEndian.AppendUint32(b, entry)
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
	}
	tab := int64(len(b))
	b = append(b, make([]byte, 4096+end)...) // the buckets, then the code
	p := &Program{
		Old: bytes.NewReader(b), Size: int64(len(b)),
		OldLoads: []Load{{0, testAddress, int64(len(b)), int64(len(b))}},
		Regions:  []Region{{Kind: GoBuckets, Offset: tab, Size: 4096}},
		Spans:    []Span{{0, 0, int64(len(b))}},
	}
	p.NewLoads = p.OldLoads
	for _, at := range []int64{tab, tab + 4096, tab + 4096 + int64(end), 64, tab, tab + 4096} {
		p.Bases = append(p.Bases, Base{testAddress + at, testAddress + at})
	}
	return p, tab
}

// TestGoBuckets looks functions up by their addresses, as the runtime does.
func TestGoBuckets(t *testing.T) {
	entries := []uint32{0, 32, 96, 256, 1000, 5000, 5600, 12000}
	p, tab := bucketsProgram(entries, 13000)
	got := project(t, p, tab, tab, 4096)
	for pc := uint32(0); pc < 13000; pc += 8 {
		bucket := got[pc/(goPart*goParts)*goBucketSize:]
		i := int(binary.LittleEndian.Uint32(bucket)) + int(bucket[4+pc/goPart%goParts])
		for i+1 < len(entries) && entries[i+1] <= pc {
			i++
		}
		if entries[i] > pc {
			t.Fatalf("address %d is looked for from function %d on", pc, i)
		}
	}
	const size = 4*4 + 51 // for each bucket and each of its parts
	if !bytes.Equal(got[size:], make([]byte, 4096-size)) {
		t.Errorf("% x stands behind the buckets", got[size:])
	}
}

func TestAscending(t *testing.T) {
	for _, test := range []struct{ have, want []int64 }{
		{[]int64{1, 2, 900, 3, 4}, []int64{1, 2, 2, 3, 4}},
		{[]int64{10, -1, -1, 40}, []int64{10, 20, 30, 40}},
		{[]int64{50, 60, 5, 70}, []int64{50, 60, 65, 70}},
		{[]int64{-1, -1}, []int64{33, 66}},
		{[]int64{7, 7, 7}, []int64{7, 7, 7}},
	} {
		got := slices.Clone(test.have)
		if fillFunctions(got, 100); !slices.Equal(got, test.want) {
			t.Errorf("%v becomes %v, want %v", test.have, got, test.want)
		}
	}
}

// FuzzGoTables projects a file with Go's tables by any bases.
func FuzzGoTables(f *testing.F) {
	for _, magic := range []uint32{goMagic118, goMagic120} {
		g := newGoFile(magic, 44, 16, 4)
		f.Add(g.b, uint16(1200), int64(testAddress), int64(64))
	}
	f.Add(make([]byte, 4096), uint16(10), int64(testAddress), int64(8*goMaxFunctions))
	f.Fuzz(func(t *testing.T, b []byte, at uint16, start, step int64) {
		size := int64(len(b))
		if size < 16 || size > 1<<16 {
			return
		}
		for kind := range kinds {
			p := code(kind, b, 1+int64(at)%(size-1), 64)
			for i := range int64(max(goFunctionBases, debugBases)) {
				p.Bases = append(p.Bases, Base{start + i*step, start - i*step})
			}
			if got := project(t, p, 0, 0, size); int64(len(got)) != size {
				t.Fatalf("%d bytes of %d", len(got), size)
			}
		}
	})
}
