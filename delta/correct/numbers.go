package correct

import "math/bits"

// maxBits bounds numbers.
const maxBits = 40

// Sets of weights that numbers use.
const (
	sizeWeights    = 960
	leadingWeights = 961
	lowWeights     = 962
	signWeights    = 963
	sizeNodes      = 768 // of the second sets: one for each node of a size's tree
)

// leading is how many bits behind a number's first one are foretold. Those behind are hardly.
const leading = 3

// size is how many bits a number has.
func size(v int64) uint32 { return uint32(bits.Len64(uint64(v))) }

// number codes a number that is not negative, of a kind and with contexts: how many bits it has, then
// those behind the first.
func (x *Codec) number(v int64, kind uint32, a, b, c uint32) int64 {
	contexts := [...]uint32{hash(kind, a), hash(kind, b), hash(kind, c), hash(kind, a, b), hash(kind, a, b, c)}
	n := size(v)
	node := uint32(1)
	for k := 5; k >= 0; k-- {
		node = node<<1 | x.d.Decide(n>>k&1, node, contexts[:], sizeWeights, sizeNodes+int(node))
	}
	if n = node & 63; n > maxBits {
		x.err = ErrInvalid
		return 0
	}
	if n == 0 {
		return 0
	}
	r := uint64(1)
	for k := int(n) - 2; k >= 0; k-- {
		one := uint32(v>>k) & 1
		if int(n)-2-k < leading {
			one = x.d.Decide(one, uint32(r), []uint32{hash(kind, n), hash(kind, n, b), hash(kind, n, a)}, leadingWeights, leadingWeights)
		} else {
			one = x.d.Decide(one, uint32(k), []uint32{hash(kind, n), hash(kind, b, 1)}, lowWeights, lowWeights)
		}
		r = r<<1 | uint64(one)
	}
	return int64(r)
}

// signed codes a number that may be negative: its sign first.
func (x *Codec) signed(v int64, kind uint32, a, b, c uint32) int64 {
	negative := x.d.Decide(bit(v < 0), 0, []uint32{hash(kind, a), hash(kind, b), hash(kind, c), hash(kind, a, b)}, signWeights, signWeights)
	v = x.number(max(v, -v), kind<<1|negative|1<<16, a, b, c)
	if negative == 1 {
		return -v
	}
	return v
}
