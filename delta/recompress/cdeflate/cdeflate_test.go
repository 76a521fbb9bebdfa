package cdeflate

import (
	"io"
	"math/rand/v2"
	"testing"
)

// sample makes n bytes in which about half is repeated from before.
func sample(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n+600)
	for len(b) < n {
		if len(b) > 1000 && r.IntN(2) == 0 {
			from := max(0, len(b)-1-r.IntN(30_000))
			b = append(b, b[from:min(len(b), from+3+r.IntN(30))]...)
		}
		for range r.IntN(20) {
			b = append(b, byte('a'+r.IntN(1+r.IntN(26))))
		}
	}
	return b[:n]
}

func TestLevels(t *testing.T) {
	for _, level := range []int{-1, 0, 10} {
		if _, err := NewWriter(io.Discard, Zlib, level); err == nil {
			t.Errorf("level %d is taken", level)
		}
	}
}

func BenchmarkZlib6(b *testing.B) { benchmark(b, Zlib) }
func BenchmarkGNU6(b *testing.B)  { benchmark(b, GNU) }

func benchmark(b *testing.B, flavor Flavor) {
	plain := sample(8 << 20)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		w, err := NewWriter(io.Discard, flavor, 6)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
