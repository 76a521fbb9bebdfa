package program

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// codeOf makes bytes many of which begin instructions that other instructions lead to.
func codeOf(r *rand.Rand, size int) []byte {
	some := []byte{0x48, 0x89, 0x8b, 0xe8, 0xe9, 0xeb, 0x74, 0x75, 0xc3, 0x90, 0x83, 0x8d, 0x05, 0x24, 0x44, 0x0f, 0x84, 0x00, 0x00, 0x00, 0xff, 0xe0}
	b := make([]byte, size)
	for i := range b {
		b[i] = some[r.IntN(len(some))]
	}
	return b
}

// marksOf tells instructions apart one by one.
func marksOf(code []byte) (marks []Mark, leads []int64) {
	marks = make([]Mark, len(code)+MaxInstruction)
	for at := 0; at < len(code); {
		marks[at] |= Starts
		in, ok := decode(code[at:])
		if !ok {
			at++
			continue
		}
		end := at + in.size
		lead, mark := -1, noMark
		switch in.immKind {
		case branch8:
			lead, mark = end+int(int8(code[end-1])), AfterBranch
		case branch32:
			lead, mark = end+int(word(code[end-4:])), AfterBranch
		}
		switch c := code[at]; {
		case c == 0xe8:
			mark = AfterCall
		case c == 0xe9, c == 0xeb, c == 0xc3, c == 0xcc, c == 0xff && code[at+in.modrm]>>3&7 == 4:
			mark = AfterJump
		}
		if lead >= 0 && lead < len(code) {
			if marks[lead] |= Aimed; mark != AfterCall {
				marks[at] |= jumps
				leads = append(leads, int64(lead))
			}
		}
		marks[end] |= mark
		at = end
	}
	return marks[:len(code)], leads
}

// TestBoundaries finds boundaries in several pieces of code, and counts them.
func TestBoundaries(t *testing.T) {
	for seed, size := range []int{0, 1, 15, 63, 64, 65, 1000, boundariesPiece, 2*boundariesPiece + 100} {
		r := rand.New(rand.NewPCG(8, uint64(seed)))
		code := codeOf(r, size)
		old := append(make([]byte, 100), code...)
		p := &Program{Old: bytes.NewReader(old), Size: int64(len(old)), Regions: []Region{{Kind: CodeAMD64, Offset: 100, Size: int64(size)}}}
		b, err := p.Boundaries()
		if err != nil {
			t.Fatal(err)
		}
		marks, leads := marksOf(code)
		var ranks [2]int64
		for i, m := range marks {
			at := int64(100 + i)
			if b.Mark(at) != m {
				t.Fatalf("%d bytes: mark %x at %d, want %x", size, b.Mark(at), i, m)
			}
			for kind, is := range [2]bool{m&Blocks != 0, m&Starts != 0} {
				if n := b.Rank(kind, at); n != ranks[kind] {
					t.Fatalf("%d bytes: rank %d at %d, want %d", size, n, i, ranks[kind])
				}
				if !is {
					continue
				}
				if found, ok := b.Find(kind, ranks[kind]); !ok || found != at {
					t.Fatalf("%d bytes: rank %d is at %d, want %d", size, ranks[kind], found, at)
				}
				ranks[kind]++
			}
			next := i
			for next < size && marks[next]&(Starts|Blocks) == 0 {
				next++
			}
			if got, _ := b.Next(at); got != int64(100+next) {
				t.Fatalf("%d bytes: %d comes after %d, want %d", size, got-100, i, next)
			}
		}
		for kind, n := range ranks {
			if at, ok := b.Find(kind, n); ok {
				t.Errorf("%d bytes: something of rank %d at %d", size, n, at)
			}
		}
		taken(t, r, b, marks, leads)
	}
}

// taken takes copies here and there.
func taken(t *testing.T, r *rand.Rand, b *Boundaries, marks []Mark, leads []int64) {
	for range 20 {
		from := r.IntN(len(marks) + 1)
		to := from + r.IntN(len(marks)-from+1)
		var want []int64
		next := 0
		for i := range to {
			if marks[i]&jumps != 0 {
				if i >= from {
					want = append(want, b.From+leads[next])
				}
				next++
			}
			if i >= from {
				marks[i] |= Taken
			}
		}
		got := b.Take(b.From+int64(from), int64(to-from), nil)
		if len(got) != len(want) {
			t.Fatalf("%d leads in [%d, %d), want %d", len(got), from, to, len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("lead %d is %d, want %d", i, got[i], want[i])
			}
		}
	}
	for i, m := range marks {
		if b.Mark(b.From+int64(i)) != m {
			t.Fatalf("mark %x at %d, want %x", b.Mark(b.From+int64(i)), i, m)
		}
	}
}
