package delta

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestSourceReads reads short and long pieces of several olds, in any order.
func TestSourceReads(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	var olds []Old
	var all []byte
	for _, size := range []int{5, 3 * pageSize, pageSize*pages + 77, 2*pageSize + 1} {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		olds = append(olds, Old{ReaderAt: bytes.NewReader(b), Size: int64(size)})
		all = append(all, b...)
	}
	s := newSource(olds)
	for range 20_000 {
		at := r.Int64N(s.size)
		p := make([]byte, 1+r.IntN(1<<r.IntN(17)))
		_, _, outside := s.locate(at, int64(len(p)))
		if err := s.read(p, at); (err != nil) != (outside != nil) {
			t.Fatalf("%d bytes at %d: %v", len(p), at, err)
		} else if err == nil && !bytes.Equal(p, all[at:][:len(p)]) {
			t.Fatalf("%d bytes at %d are others", len(p), at)
		}
	}
}
