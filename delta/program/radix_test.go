package program

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRadixSort sorts by some of the bits, as a stable sort does.
func TestRadixSort(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{0, 1, 2, 3000} {
		for _, bits := range [][2]uint{{0, 64}, {32, 64}, {0, 36}, {19, 51}, {60, 64}} {
			list := make([]uint64, n)
			for i := range list {
				list[i] = r.Uint64() >> r.UintN(64)
			}
			key := func(v uint64) uint64 { return v >> bits[0] & (1<<(bits[1]-bits[0]) - 1) }
			want := slices.Clone(list)
			slices.SortStableFunc(want, func(a, b uint64) int { return cmp.Compare(key(a), key(b)) })
			if sortKeys(list, bits[0], bits[1]); !slices.Equal(list, want) {
				t.Errorf("%d numbers are not in the order of their bits %d", n, bits)
			}
		}
	}
	list := []uint32{1 << 31, 5, 0, 1<<32 - 1, 5}
	if got := radixSort(list, make([]uint32, len(list)), 0, 32); !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
}
