package delta

import (
	"encoding/binary"
	"math/bits"
)

// index finds where bytes like given ones stand in data. It is a hash table of chains, of bounded
// size: beyond maxIndexed bytes only every stride-th position is in it.
type index struct {
	data   []byte
	key    int // bytes that are hashed
	stride int
	sparse int // the stride is at least this
	shift  uint
	head   []int32 // the last position of a hash, in strides, plus 1
	prev   []int32 // the position before that
}

// maxIndexed positions make an index of 64 MiB of heads and 160 MiB of chains at most.
const maxIndexed = 40 << 20

// build makes x the index of other data. It uses x's memory again.
func (x *index) build(data []byte, key int) {
	x.data, x.key, x.stride = data, key, max(x.sparse, 1+len(data)/maxIndexed)
	n := len(data) / x.stride
	tableBits := min(24, max(8, bits.Len(uint(n))))
	x.shift = uint(64 - tableBits)
	x.head, x.prev = cleared(x.head, 1<<tableBits), cleared(x.prev, n+1)
	last := ^uint64(0)
	for i := 0; i*x.stride <= len(data)-max(key, 8); i++ {
		v := binary.LittleEndian.Uint64(data[i*x.stride:])
		if v == last {
			continue // a run of one byte needs only its first position
		}
		last = v
		h := x.hash(data[i*x.stride:])
		x.prev[i] = x.head[h]
		x.head[h] = int32(i + 1)
	}
}

// cleared returns n zeros, in b if that is large enough.
func cleared(b []int32, n int) []int32 {
	if cap(b) < n {
		return make([]int32, n)
	}
	b = b[:n]
	clear(b)
	return b
}

// shrink gives back the memory of a large index.
func (x *index) shrink() {
	x.data = nil
	if cap(x.prev) > 4<<20 {
		x.head, x.prev = nil, nil
	}
}

// hash needs max(key, 8) bytes.
func (x *index) hash(b []byte) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if x.key < 8 {
		v <<= uint(64 - 8*x.key)
	}
	h := v * 0x9e3779b97f4a7c15
	if x.key > 8 {
		v = binary.LittleEndian.Uint64(b[x.key-8:])
		h = (h ^ h>>29 ^ v) * 0xbf58476d1ce4e5b9
	}
	return h >> x.shift
}

// find returns the position of the longest match with b among the depth latest candidates, and its
// length; of equals the one nearest to want.
func (x *index) find(b []byte, depth int, want int) (position, length int) {
	if len(b) < max(x.key, 8) {
		return 0, 0
	}
	for c := x.head[x.hash(b)]; c > 0 && depth > 0; c = x.prev[c-1] {
		depth--
		p := int(c-1) * x.stride
		if length > 0 && (p+length >= len(x.data) || length >= len(b) || x.data[p+length] != b[length]) &&
			!(length == len(b)) {
			continue
		}
		n := matchLength(x.data[p:], b, maxCompared)
		if n > length || n == length && distance(p, want) < distance(position, want) {
			position, length = p, n
		}
	}
	return position, length
}

// each gives the positions of the depth latest candidates for a match with b.
func (x *index) each(b []byte, depth int, use func(position int)) {
	if len(b) < max(x.key, 8) {
		return
	}
	for c := x.head[x.hash(b)]; c > 0 && depth > 0; c = x.prev[c-1] {
		depth--
		use(int(c-1) * x.stride)
	}
}

// maxCompared bounds how much of a candidate is looked at, and so the time that runs can take.
const maxCompared = 16 << 10

func distance(a, b int) int {
	if a < b {
		return b - a
	}
	return a - b
}

// matchLength returns how many bytes, limit at most, a and b have in common at their beginnings.
func matchLength(a, b []byte, limit int) int {
	limit = min(limit, len(a), len(b))
	a, b = a[:limit], b[:limit]
	n := 0
	for ; n+8 <= limit; n += 8 {
		if d := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); d != 0 {
			return n + bits.TrailingZeros64(d)/8
		}
	}
	for n < limit && a[n] == b[n] {
		n++
	}
	return n
}

// matchBefore returns how many bytes, limit at most, a and b have in common at their ends.
func matchBefore(a, b []byte, limit int) int {
	limit = min(limit, len(a), len(b))
	n := 0
	for n < limit && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
