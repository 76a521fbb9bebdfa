package delta

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// rebuilt makes new out of segments, with the bytes that differ.
func rebuilt(t *testing.T, old, new []byte, segments []segment) (changed, literals int) {
	t.Helper()
	at := 0
	for _, s := range segments {
		if s.length <= 0 || at+s.length > len(new) || s.from >= 0 && s.from > len(old)-s.length {
			t.Fatalf("segment %+v at %d", s, at)
		}
		if s.from < 0 {
			literals += s.length
		} else {
			for i := range s.length {
				if old[s.from+i] != new[at+i] {
					changed++
				}
			}
		}
		at += s.length
	}
	if at != len(new) {
		t.Fatalf("segments make %d bytes of %d", at, len(new))
	}
	return changed, literals
}

// TestCheapest cuts a file whose blocks moved, and in which single bytes changed.
func TestCheapest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	old := make([]byte, 200_000)
	for i := range old {
		old[i] = byte(r.Uint32())
	}
	var new []byte
	edits := 0
	for range 300 {
		from, n := r.IntN(len(old)-2000), 50+r.IntN(1500)
		block := bytes.Clone(old[from:][:n])
		for i := 40; i < n-40; i += 40 + r.IntN(100) {
			block[i]++
			edits++
		}
		new = append(new, block...)
	}
	var x index
	x.build(old, cheapestKey)
	segments := diffCheapest(old, new, &x, nil, nil)
	changed, literals := rebuilt(t, old, new, segments)
	if len(segments) > 310 || changed > edits || literals > 300 {
		t.Errorf("%d segments, %d changed bytes, %d literal ones; want 300, %d, 0", len(segments), changed, literals, edits)
	}
}

func TestCheapestOfLittle(t *testing.T) {
	for _, c := range []struct{ old, new string }{{"", ""}, {"", "new"}, {"old", ""}, {"a", "a"}, {"same bytes here", "same bytes here"}} {
		var x index
		x.build([]byte(c.old), cheapestKey)
		rebuilt(t, []byte(c.old), []byte(c.new), diffCheapest([]byte(c.old), []byte(c.new), &x, nil, nil))
	}
}

// FuzzCheapest cuts any bytes.
func FuzzCheapest(f *testing.F) {
	f.Add([]byte("some old bytes that come again, some old bytes"), []byte("bytes that come again, and some old bytes"))
	f.Fuzz(func(t *testing.T, old, new []byte) {
		var x index
		x.build(old, cheapestKey)
		rebuilt(t, old, new, diffCheapest(old, new, &x, nil, nil))
	})
}
