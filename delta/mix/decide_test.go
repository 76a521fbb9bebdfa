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
		bit = d.Decide(bit, &Contexts{last & 7, last & 0xff, uint32(i % 3), noise >> 20}, i%300)
		last = last<<1 | bit
		ones += int(bit)
	}
	return ones
}

// symbols codes numbers of 0 to 4 bits, bytes and bits of which nothing is known, and returns their sum.
func symbols(c *Coder, n int) (sum uint64) {
	d := NewDecider(c, int64(n))
	for i := range n {
		x := Contexts{uint32(i % 7), uint32(i % 50), 3, uint32(sum)}
		v, bits := i%7*i%16, i%5
		sum += uint64(d.Symbol(uint32(v)&(1<<bits-1), bits, &x, i%900, i%2))
		sum += uint64(d.Byte(byte(i%50*5), &x, i%WeightSets))
		sum += d.Raw(uint64(i)<<7&(1<<i%40-1), i%40)
	}
	return sum
}

// TestSymbols codes symbols and decodes them.
func TestSymbols(t *testing.T) {
	const n = 3000
	c := NewEncoder()
	want := symbols(c, n)
	back := NewDecoder(bytes.NewReader(c.Bytes()))
	if got := symbols(back, n); got != want || back.End() != nil {
		t.Errorf("a sum of %d comes back, want %d (%v)", got, want, back.End())
	}
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
