package program

import (
	"encoding/binary"
	"testing"
)

// symbolsAt is where the tests' tables of symbols begin; the file grows by two symbols in front of the fourth.
const symbolsAt = 0x400

func withSymbols(kind Kind, b []byte) *Program {
	p := code(kind, b, symbolsAt+3*symbolSize, 2*symbolSize)
	p.Bases = []Base{{0x400000 + symbolsAt, 0x400000 + symbolsAt}}
	return p
}

// TestRelocations projects the number of a relocation's symbol, and leaves one without a symbol alone.
func TestRelocations(t *testing.T) {
	b := make([]byte, 0x1000)
	for i, number := range []uint32{0, 2, 3, 7} {
		at := 24 * i
		binary.LittleEndian.PutUint64(b[at:], 0x400000+0x800)
		binary.LittleEndian.PutUint32(b[at+8:], 7) // R_X86_64_JUMP_SLOT
		binary.LittleEndian.PutUint32(b[at+12:], number)
	}
	got := project(t, withSymbols(Relocations, b), 0, 0, 96)
	for i, want := range []uint32{0, 2, 5, 9} {
		at := 24 * i
		where, kind, number := binary.LittleEndian.Uint64(got[at:]), binary.LittleEndian.Uint32(got[at+8:]), binary.LittleEndian.Uint32(got[at+12:])
		if where != 0x400000+0x800+2*symbolSize || kind != 7 || number != want {
			t.Errorf("relocation %d: of %x, kind %d, symbol %d, want %d", i, where, kind, number, want)
		}
	}
}

// TestSymbolHash projects the numbers in .gnu.hash and nothing else in it.
func TestSymbolHash(t *testing.T) {
	b := make([]byte, 0x1000)
	for i, v := range []uint32{3, 1, 2, 6, 4, 4, 4, 4, 1, 0, 4, 4, 4} {
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
	got := project(t, withSymbols(SymbolHash, b), 0, 0, 52)
	// Three buckets behind two words of the filter: those of 4 and 1 go where their symbols do.
	for i, want := range []uint32{3, 1, 2, 6, 4, 4, 4, 4, 1, 0, 6, 4, 4} {
		if v := binary.LittleEndian.Uint32(got[4*i:]); v != want {
			t.Errorf("word %d is %d, want %d", i, v, want)
		}
	}
	binary.LittleEndian.PutUint32(b, 1<<32-1) // more buckets than there is room
	binary.LittleEndian.PutUint32(b[8:], 1<<32-1)
	if got := project(t, withSymbols(SymbolHash, b), 0, 0, 52); len(got) != 52 {
		t.Errorf("%d bytes of 52", len(got))
	}
}
