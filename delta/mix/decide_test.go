package mix

import (
	"bytes"
	"testing"
)

// decisions codes decisions about bits that follow each other in a pattern, and returns how many ones came.
func decisions(c *Coder, n int) (ones int) {
	d := NewDecider(c, int64(n))
	last, noise := uint32(0), uint32(7)
	for i := range n {
		noise = noise*1664525 + 1013904223
		bit := uint32(0)
		if i%3 == 0 != (noise>>24 < 8) {
			bit = 1
		}
		bit = d.Decide(bit, uint32(i%40), []uint32{last & 7, last & 0xff, uint32(i % 3), noise >> 20}, i%300, i%7)
		last = last<<1 | bit
		ones += int(bit)
	}
	return ones
}

// TestDecisions codes decisions that can be foretold in a fraction of a bit each, and decodes them.
func TestDecisions(t *testing.T) {
	const n = 30_000
	c := NewEncoder()
	want := decisions(c, n)
	coded := c.Bytes()
	if len(coded) > n/8/3 {
		t.Errorf("%d bytes for %d decisions", len(coded), n)
	}
	back := NewDecoder(bytes.NewReader(coded))
	if got := decisions(back, n); got != want || back.End() != nil {
		t.Errorf("%d ones of %d come back, %v", got, want, back.End())
	}
}

func BenchmarkDecide(b *testing.B) {
	const n = 100_000
	c := NewEncoder()
	decisions(c, n)
	coded := c.Bytes()
	for b.Loop() {
		decisions(NewDecoder(bytes.NewReader(coded)), n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/decision")
}
