package correct

import (
	"math/bits"

	"github.com/sallyport-dev/sallyport/delta/mix"
)

// maxBits bounds numbers.
const maxBits = 40

// Sets of weights that numbers use.
const (
	sizeWeights    = 768 // and so on for the nodes of a size's tree
	leadingWeights = 961
	signWeights    = 963
)

// Parts of numbers, beside their kinds.
const (
	aSigned  = 1 << 16
	aLeading = 1 << 17
)

// manyBits is how many bits a number has whose rest is told next.
const manyBits = 15

// leading is how many bits behind a number's first one are foretold. Those behind are hardly.
const leading = 3

// size is how many bits a number has.
func size(v int64) uint32 { return uint32(bits.Len64(uint64(v))) }

// number codes a number that is not negative, of a kind and with contexts: how many bits it has, then
// those behind the first.
func (x *Codec) number(v int64, kind uint32, a, b, c uint32) int64 {
	n := x.bits(size(v), &mix.Contexts{of2(kind, a), of2(kind, b), of2(kind, c), of3(kind, a, b)})
	if n > maxBits {
		x.err = ErrInvalid
		return 0
	}
	if n < 2 {
		return int64(n)
	}
	n--
	first, rest := min(int(n), leading), max(int(n)-leading, 0)
	kind |= aLeading
	v &= 1<<n - 1
	r := 1<<first | uint64(x.d.Symbol(uint32(v>>rest), first, &mix.Contexts{of2(kind, n), of3(kind, n, b), of3(kind, n, a), of3(kind, n, c)}, leadingWeights, 0))
	return int64(r<<rest | x.d.Raw(uint64(v)&(1<<rest-1), rest))
}

// bits codes how many bits a number has, up to 14 at a time.
func (x *Codec) bits(want uint32, contexts *mix.Contexts) (n uint32) {
	for n <= maxBits {
		some := x.d.Symbol(min(want-n, manyBits), 4, contexts, sizeWeights, 1)
		n += some
		if some < manyBits {
			break
		}
		for i := range contexts {
			contexts[i] += 0x3d4d51cb
		}
	}
	return n
}

// signed codes a number that may be negative: its sign first.
func (x *Codec) signed(v int64, kind uint32, a, b, c uint32) int64 {
	kind |= aSigned
	negative := x.d.Decide(bit(v < 0), &mix.Contexts{of2(kind, a), of2(kind, b), of2(kind, c), of3(kind, a, b)}, signWeights)
	v = x.number(max(v, -v), kind|negative<<8, a, b, c)
	if negative == 1 {
		return -v
	}
	return v
}
