package program

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTargetBy asks for addresses with shifts and without, where loads overlap, spans leave gaps and moves and anchors
// come in between.
func TestTargetBy(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	hits := 0
	for range 300 {
		const size = 1000
		p := &Program{Old: bytes.NewReader(make([]byte, size)), Size: size}
		for range 1 + r.IntN(3) {
			l := Load{Offset: r.Int64N(size), Address: r.Int64N(2 * size), Size: r.Int64N(size)}
			l.Memory = l.Size + r.Int64N(300)
			p.OldLoads = append(p.OldLoads, l)
			l.Offset, l.Address = r.Int64N(size), r.Int64N(2*size)
			p.NewLoads = append(p.NewLoads, l)
		}
		for range 1 + r.IntN(12) {
			at, old := r.Int64N(3*size), r.Int64N(size)
			p.Spans = append(p.Spans, Span{Old: old, New: r.Int64N(size), Size: 1 + r.Int64N(min(150, size-old))})
			p.Moves = append(p.Moves, Move{r.Int64N(3 * size), at})
			p.Anchors = append(p.Anchors, Anchor{at, r.Int64N(3 * size)})
		}
		slices.SortFunc(p.Moves, func(a, b Move) int { return compare(a.Old, b.Old) })
		slices.SortFunc(p.Anchors, func(a, b Anchor) int { return compare(a.Old, b.Old) })
		if err := p.Prepare(); err != nil {
			t.Fatal(err)
		}
		at := int64(0)
		for range 3000 {
			if at += r.Int64N(7) - 2; r.IntN(40) == 0 {
				at = r.Int64N(3 * size)
			}
			if s := p.shifts[shiftLine]; at >= s.from && at < s.to {
				hits++
			}
			got, ok := p.targetBy(shiftLine, at)
			want, known := p.Target(at)
			if got != want || ok != known {
				t.Fatalf("%d goes to %d, %v; want %d, %v", at, got, ok, want, known)
			}
			if known && at < p.floor {
				t.Fatalf("%d is known, below %d", at, p.floor)
			}
		}
	}
	if hits < 1000 {
		t.Errorf("%d answers by shifts", hits)
	}
}
