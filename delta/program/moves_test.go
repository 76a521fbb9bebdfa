package program

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// TestLearn finds out where a procedure linkage slot and a variable went that no span knows of.
func TestLearn(t *testing.T) {
	const slots, bss = 0x400000 + 3000, 0x400000 + 8192
	b := bytes.Repeat([]byte{0x90}, 8192)
	p := code(CodeAMD64, b, 4096, 0)
	p.Spans = []Span{{0, 0, 8192}}
	p.OldLoads[0].Memory, p.NewLoads[0].Memory = 1<<20, 1<<20
	after := bytes.Clone(b)
	for i := range 20 {
		at := 100 + 20*i
		b[at], after[at] = 0xe8, 0xe8
		putWord(b[at+1:], slots+16-0x400000-int64(at+5))
		putWord(after[at+1:], slots+64-0x400000-int64(at+5))
		copy(b[at+8:], []byte{0x48, 0x8b, 0x05})
		copy(after[at+8:], b[at+8:at+11])
		putWord(b[at+11:], bss+int64(i)*8-0x400000-int64(at+15))
		putWord(after[at+11:], bss+int64(i)*8+0x40-0x400000-int64(at+15))
	}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := p.Learn(after); err != nil {
		t.Fatal(err)
	}
	if len(p.Moves) != 1 || p.Moves[0] != (Move{slots + 16, 48}) {
		t.Errorf("moves are %v", p.Moves)
	}
	if len(p.Anchors) != 1 || p.Anchors[0] != (Anchor{bss, bss + 0x40}) {
		t.Errorf("anchors are %v", p.Anchors)
	}
	if got := project(t, p, 0, 0, 8192); !bytes.Equal(got, after) {
		t.Error("with what was learnt, the old code is not projected to the new")
	}
}

// TestMoveBeatsSpan tells that an entry holds for its own address only.
func TestMoveBeatsSpan(t *testing.T) {
	p := code(CodeAMD64, make([]byte, 4096), 1000, 64)
	p.Moves = []Move{{0x400000 + 2000, -8}}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	for old, want := range map[int64]int64{1999: 2063, 2000: 2056, 2001: 2065} {
		if got, ok := p.Target(0x400000 + old); !ok || got != 0x400000+want {
			t.Errorf("%d goes to %d, want %d", old, got-0x400000, want)
		}
	}
}

// TestFixed projects absolute addresses of a program that has a fixed place in memory.
func TestFixed(t *testing.T) {
	b := bytes.Repeat([]byte{0x90}, 4096)
	copy(b[10:], []byte{0xbf})                   // mov edi, imm32
	copy(b[20:], []byte{0x81, 0xf9})             // cmp ecx, imm32
	copy(b[30:], []byte{0x48, 0x8b, 0x04, 0xc5}) // mov rax, [rax*8+disp32]
	copy(b[40:], []byte{0x0f, 0xb6, 0x80})       // movzx eax, [rax+disp32]
	copy(b[50:], []byte{0xb8, 77, 0, 0, 0})      // mov eax, 77: no address
	copy(b[60:], []byte{0xc7, 0x05})             // mov dword [rip+disp32], imm32
	for _, at := range []int{11, 22, 34, 43, 66} {
		binary.LittleEndian.PutUint32(b[at:], 0x400000+3000)
	}
	putWord(b[62:], 3500-70)
	got := project(t, code(CodeFixed, b, 1000, 64), 0, 0, 1000)
	for at, want := range map[int]int64{11: 0x400000 + 3064, 22: 0x400000 + 3064, 34: 0x400000 + 3064, 43: 0x400000 + 3064, 51: 77, 62: 3564 - 70, 66: 0x400000 + 3064} {
		if v := word(got[at:]); v != want {
			t.Errorf("word at %d is %#x, want %#x", at, v, want)
		}
	}
	if got := project(t, code(CodeAMD64, b, 1000, 64), 0, 0, 1000); word(got[11:]) != 0x400000+3000 {
		t.Error("a program of no fixed place has its numbers changed")
	}
}

// TestShortBranch projects a branch of 8 bits where the result fits into them.
func TestShortBranch(t *testing.T) {
	b := bytes.Repeat([]byte{0x90}, 4096)
	copy(b[990:], []byte{0xeb, 18}) // to 1010
	for moved, want := range map[int64]byte{64: 82, 128: 18} {
		if got := project(t, code(CodeAMD64, b, 1000, moved), 0, 0, 1000); got[991] != want {
			t.Errorf("%d bytes more: %d, want %d", moved, got[991], want)
		}
	}
}
