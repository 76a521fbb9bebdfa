package program

// radixBits is how many bits of a key are sorted by at a time.
const radixBits = 11

// radixSort sorts a list by bits low to high of its elements; those that do not differ there stay in order. It returns
// the sorted list, in the old one's place or in a new one. Lists of what is in a program are long, and mostly in order.
func radixSort[T uint32 | uint64](list []T, low, high uint) []T {
	if inOrder(list, low, high) {
		return list
	}
	spare := make([]T, len(list))
	for shift := low; shift < high; shift += radixBits {
		mask := T(1)<<min(radixBits, high-shift) - 1
		var at [1 << radixBits]uint32
		for _, v := range list {
			at[v>>shift&mask]++
		}
		if at[list[0]>>shift&mask] == uint32(len(list)) {
			continue
		}
		sum := uint32(0)
		for i, n := range at {
			at[i], sum = sum, sum+n
		}
		for _, v := range list {
			n := &at[v>>shift&mask]
			spare[*n] = v
			*n++
		}
		list, spare = spare, list
	}
	return list
}

func inOrder[T uint32 | uint64](list []T, low, high uint) bool {
	mask := T(1)<<(high-low) - 1
	last := T(0)
	for _, v := range list {
		if v = v >> low & mask; v < last {
			return false
		}
		last = v
	}
	return true
}
