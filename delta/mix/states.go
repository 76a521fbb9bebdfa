package mix

// A state is a bounded history of the bits seen in a context: how many zeros, how many ones and, where
// few, which came last. The table is made as that of ZPAQ (Matt Mahoney, "The ZPAQ Open Standard
// Format for Highly Compressed Data", states of bit histories).

// next says which state follows a state and a bit.
var next [2][256]uint8

// initial are the probabilities that states begin with.
var initial [256]estimate

// variants is how many states stand for zeros and ones seen: none, one, or one for either last bit.
func variants(zeros, ones int) int {
	most := [6]int{20, 48, 15, 8, 6, 5}
	if zeros < ones {
		zeros, ones = ones, zeros
	}
	switch {
	case ones < 0 || ones > 5 || zeros > most[ones]:
		return 0
	case ones > 0 && zeros+ones <= 17:
		return 2
	}
	return 1
}

// discounted is what is left of a count when the other bit comes.
func discounted(n int) int {
	left := min(n, 5)
	if n >= 7 {
		left++
	}
	if n >= 8 {
		left++
	}
	return left
}

// follow returns the counts after one more of the first, within what states there are.
func follow(seen, other int) (int, int) {
	seen++
	other = discounted(other)
	for variants(seen, other) == 0 {
		if other < 2 {
			seen--
		} else {
			seen = (seen*(other-1) + other/2) / other
			other--
		}
	}
	return seen, other
}

func init() {
	type counts struct{ zeros, ones, last int }
	number := map[counts]int{}
	var list []counts
	for total := 0; len(list) < 255; total++ {
		for ones := range total + 1 {
			for v := range variants(total-ones, ones) {
				c := counts{total - ones, ones, v}
				number[c] = len(list)
				list = append(list, c)
			}
		}
	}
	for n, c := range list {
		zeros, ones := follow(c.zeros, c.ones)
		next[0][n] = uint8(number[counts{zeros, ones, 0}])
		ones, zeros = follow(c.ones, c.zeros)
		next[1][n] = uint8(number[counts{zeros, ones, variants(zeros, ones) - 1}])
		initial[n] = estimate((2*c.ones+1)<<21/(c.zeros+c.ones+1)) << countBits
	}
	initial[0] = half | countMask
}
