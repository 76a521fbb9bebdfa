package program

import (
	"math/bits"
	"sync"
)

// spareKeys keeps lists of keys for the next that are needed: there are many, and long ones.
var spareKeys = sync.Pool{New: func() any { return new([]uint64) }}

// withKeys lets f have a list of n keys for a while.
func withKeys(n int, f func(keys []uint64)) {
	spare := spareKeys.Get().(*[]uint64)
	if cap(*spare) < n {
		*spare = make([]uint64, n)
	}
	f((*spare)[:n])
	spareKeys.Put(spare)
}

// sortKeys sorts keys by bits low to high; those that do not differ there stay in order.
func sortKeys(keys []uint64, low, high uint) {
	withKeys(len(keys), func(spare []uint64) {
		if sorted := radixSort(keys, spare, low, high); len(keys) > 0 && &sorted[0] != &keys[0] {
			copy(keys, sorted)
		}
	})
}

// radixBits is how many bits of a key are sorted by at a time, at most.
const radixBits = 11

// radixSort sorts a list by bits low to high of its elements; those that do not differ there stay in order. It returns
// the sorted list, in the place of the old one or of spare, which is as long. Lists of what is in a program are mostly
// in order.
func radixSort[T uint32 | uint64](list, spare []T, low, high uint) []T {
	low, high = unordered(list, low, high)
	if low == high {
		return list
	}
	passes := (high - low + radixBits - 1) / radixBits
	width := (high - low + passes - 1) / passes
	for shift := low; shift < high; shift += width {
		mask := T(1)<<min(width, high-shift) - 1
		var at [1 << radixBits]uint32
		for _, v := range list {
			at[v>>shift&mask&(1<<radixBits-1)]++
		}
		sum := uint32(0)
		for i, n := range at[:mask+1] {
			at[i], sum = sum, sum+n
		}
		for _, v := range list {
			n := &at[v>>shift&mask&(1<<radixBits-1)]
			spare[*n] = v
			*n++
		}
		list, spare = spare, list
	}
	return list
}

// unordered returns which of the bits from low to high have to be sorted by: none where the list is in their order.
func unordered[T uint32 | uint64](list []T, low, high uint) (from, to uint) {
	mask := T(1)<<(high-low) - 1
	last, differ, ordered := T(0), T(0), true
	for _, v := range list {
		v = v >> low & mask
		ordered = ordered && last <= v
		differ |= v ^ list[0]>>low&mask
		last = v
	}
	if ordered {
		return low, low
	}
	return low + uint(bits.TrailingZeros64(uint64(differ))), low + uint(bits.Len64(uint64(differ)))
}
