package delta

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestWorkersMakeOnePatch makes the same patch whoever does how much of it.
func TestWorkersMakeOnePatch(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	var before, after []file
	for i := range 40 {
		body := randomBinary(r, 1+r.IntN(30_000))
		next := edit(r, body, r.IntN(10))
		switch i % 4 {
		case 1:
			body, next = gzipWith(t, body, 6), gzipWith(t, next, 6)
		case 2:
			body, next = prose(100+i, 0), prose(100+i, 2+i)
		}
		header := tar.Header{Name: fmt.Sprintf("usr/lib/file%d", i), Mode: 0o644}
		before, after = append(before, file{header, body}), append(after, file{header, next})
	}
	blob, base := gzipped(t, makeTar(t, after)), makeTar(t, before)
	var first []byte
	for _, workers := range []int{1, 2, 3, 8} {
		var patch bytes.Buffer
		if _, err := Diff(t.Context(), &patch, bytes.NewReader(blob), int64(len(blob)), []Old{old(base)}, Options{Workers: workers, TempDir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = bytes.Clone(patch.Bytes())
		}
		if !bytes.Equal(patch.Bytes(), first) {
			t.Errorf("%d workers make another patch than one", workers)
		}
	}
}
