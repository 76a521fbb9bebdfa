package delta

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// TestAdvanced holds that a Diff tells how far it is many times within one blob, and of no more than its size.
func TestAdvanced(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	content := randomBinary(r, 1<<20)
	before := tarOf(t, "app", string(content))
	blob := gzipped(t, tarOf(t, "app", string(edit(r, content, 100))))
	for _, olds := range [][]Old{nil, {old(before)}} {
		var told, steps, size int64
		size = int64(len(blob))
		o := Options{TempDir: t.TempDir(), Advanced: func(n int64) {
			if n <= 0 {
				t.Errorf("told of %d bytes", n)
			}
			told, steps = told+n, steps+1
		}}
		if _, err := Diff(t.Context(), io.Discard, bytes.NewReader(blob), size, olds, o); err != nil {
			t.Fatal(err)
		}
		if steps < 8 || told > size || told < size/2 {
			t.Errorf("%d olds: %d steps of together %d bytes of %d", len(olds), steps, told, size)
		}
	}
}
