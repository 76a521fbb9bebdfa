package tokens

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Model is how the predicted encoder looks for matches. The first nine are zlib's levels.
type Model struct {
	good, lazy, nice, chain int
	greedy                  bool // a match is taken as soon as there is one
	reach                   int  // the longest distance
}

const zlibReach = windowSize - maxMatch - minMatch - 1

// models are numbered in what Encode returns: none may ever mean anything else.
var models = []Model{
	{4, 4, 8, 4, true, zlibReach},
	{4, 5, 16, 8, true, zlibReach},
	{4, 6, 32, 32, true, zlibReach},
	{4, 4, 16, 16, false, zlibReach},
	{8, 16, 32, 32, false, zlibReach},
	{8, 16, 128, 128, false, zlibReach},
	{8, 32, 128, 256, false, zlibReach},
	{32, 128, 258, 1024, false, zlibReach},
	{32, 258, 258, 4096, false, zlibReach},
	{258, 258, 258, 16, true, windowSize},
	{258, 258, 258, 100, true, windowSize},
	{258, 258, 258, 24, false, windowSize},
	{258, 258, 258, 128, false, windowSize},
	{258, 258, 258, 1024, false, windowSize},
}

// ByEffort returns the models' numbers, those first that look at fewer strings.
func ByEffort() []int {
	order := make([]int, len(models))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(models[a].chain, models[b].chain) })
	return order
}

const hashBits = 15

// matcher finds earlier strings in the plain bytes, up to what is in its buffer.
type matcher struct {
	Model
	buf    []byte
	base   int64 // where buf begins
	end    int64 // of the plain bytes
	hashed int64 // the first string that is not in the tables
	skip   int64 // strings before it stay out of the tables
	head   [1 << hashBits]uint32
	prev   [windowSize]uint32
}

// found is a match; of length 0: none.
type found struct{ length, dist int }

// lookahead is how many bytes from a position on must be in the buffer before it is looked at: those
// of a match at the next one, and of its hash.
const lookahead = maxMatch + minMatch + 1

// slide makes room at the buffer's end, keeping a window before pos.
func (m *matcher) slide(pos int64) {
	if from := pos - windowSize - m.base; from > windowSize {
		n := copy(m.buf, m.buf[from:])
		m.buf = m.buf[:n]
		m.base += from
	}
}

func (m *matcher) hash(pos int64) uint32 {
	b := m.buf[pos-m.base:]
	return (uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16) * 0x9e3779b1 >> (32 - hashBits)
}

// insert puts the strings up to pos into the tables.
func (m *matcher) insert(pos int64) {
	for ; m.hashed <= pos && m.hashed+minMatch <= m.end; m.hashed++ {
		if m.hashed < m.skip {
			continue
		}
		h := m.hash(m.hashed)
		m.prev[m.hashed&(windowSize-1)] = m.head[h]
		m.head[h] = uint32(m.hashed)
	}
}

// first returns the distance to the string before pos with its hash, 0 for none.
func (m *matcher) first(pos int64) int {
	m.insert(pos)
	return m.older(pos, 0)
}

// older returns the distance to the string before the one at this distance.
func (m *matcher) older(pos int64, dist int) int {
	further := int(uint32(pos) - m.prev[(pos-int64(dist))&(windowSize-1)])
	if further <= dist || further > m.reach || int64(further) > pos {
		return 0
	}
	return further
}

// find returns the first of the longest matches at pos that are longer than best, as zlib would.
func (m *matcher) find(pos int64, best, chain int) (f found) {
	limit := int(min(maxMatch, m.end-pos))
	if limit < minMatch || best >= limit {
		return f
	}
	nice := min(m.nice, limit)
	at := pos - m.base
	b := m.buf[:at+int64(limit)]
	work := 0
	for dist := m.first(pos); dist != 0 && chain > 0 && work < maxWork; chain-- {
		if old := b[at-int64(dist):]; old[best] == b[at+int64(best)] && old[0] == b[at] {
			n := same(old, b[at:])
			work += n
			if n > best && n >= minMatch {
				best = n
				f = found{n, dist}
				if n >= nice {
					break
				}
			}
		}
		dist = m.older(pos, dist)
	}
	return f
}

// same returns how many bytes b has in common with the longer a.
func same(a, b []byte) int {
	n := 0
	for ; n+8 <= len(b); n += 8 {
		if d := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); d != 0 {
			return n + bits.TrailingZeros64(d)/8
		}
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Bounds of a search, in strings and in bytes that are equal: without them, plain bytes can be made
// up for which each position takes a million steps.
const (
	maxHops = 2048
	maxWork = 16 << 10
)

// rank returns how many strings nearer than dist match for length bytes, or -1 if dist is not met.
func (m *matcher) rank(pos int64, length, dist int) int {
	rank := 0
	work := 0
	for d, hops := m.first(pos), 0; d != 0 && hops < maxHops && work < maxWork; d, hops = m.older(pos, d), hops+1 {
		if d == dist {
			return rank
		}
		n := m.common(pos, length, d)
		work += n
		if n == length {
			rank++
		}
	}
	return -1
}

// ranked returns the distance that has this rank, 0 if there is none.
func (m *matcher) ranked(pos int64, length, rank int) int {
	work := 0
	for d, hops := m.first(pos), 0; d != 0 && hops < maxHops && work < maxWork; d, hops = m.older(pos, d), hops+1 {
		n := m.common(pos, length, d)
		work += n
		if n != length {
			continue
		}
		if rank == 0 {
			return d
		}
		rank--
	}
	return 0
}

// common returns how many of length bytes are as those at dist, or 0 if the last one is not.
func (m *matcher) common(pos int64, length, dist int) int {
	at := pos - m.base
	old, now := m.buf[at-int64(dist):], m.buf[at:at+int64(length)]
	if old[length-1] != now[length-1] {
		return 0
	}
	return same(old, now)
}
