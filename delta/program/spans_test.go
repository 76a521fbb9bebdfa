package program

import (
	"math/rand/v2"
	"testing"
)

// TestSpansUpTo counts spans, whether they are many or few for the file.
func TestSpansUpTo(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, n := range []int{0, 1, 3, 5000} {
		p := &Program{Size: 40*stretch + 3}
		for range n {
			p.Spans = append(p.Spans, Span{Old: r.Int64N(p.Size), Size: 1})
		}
		p.byOld = widest(p.Spans)
		p.indexSpans()
		if (p.upTo != nil) != (n > 2) {
			t.Errorf("%d spans: index of %d", n, len(p.upTo))
		}
		for at := int64(-1); at <= p.Size; at++ {
			want := 0
			if at%7 > 0 && at < p.Size-1 {
				continue
			}
			for _, s := range p.byOld {
				if s.Old <= at {
					want++
				}
			}
			if got := p.spansUpTo(at); got != want {
				t.Fatalf("%d spans: %d up to %d, want %d", n, got, at, want)
			}
		}
	}
}
