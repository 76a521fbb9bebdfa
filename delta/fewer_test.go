package delta

import (
	"math/rand/v2"
	"testing"
)

func TestFewer(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	var list []segment
	size := 0
	for range 5000 {
		s := segment{length: 1 + r.IntN(400), from: r.IntN(1 << 20)}
		if r.IntN(3) == 0 {
			s.from = literal
		}
		list = append(list, s)
		size += s.length
	}
	for _, limit := range []int{5000, 4000, 1000, 50, 1} {
		got, ok := fewer(list, limit)
		if !ok || len(got) > limit {
			t.Errorf("%d segments became %d, at most %d", len(list), len(got), limit)
		}
		at := 0
		for _, s := range got {
			at += s.length
		}
		if at != size {
			t.Errorf("%d segments make %d bytes of %d", limit, at, size)
		}
	}
	if got, _ := fewer(list, len(list)); len(got) != len(list) {
		t.Error("segments changed that were few enough")
	}
	if _, ok := fewer([]segment{{1 << 30, 0}, {1 << 30, 5}}, 1); ok {
		t.Error("long copies were given up")
	}
}
