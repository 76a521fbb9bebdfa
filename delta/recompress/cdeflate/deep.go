package cdeflate

import "encoding/binary"

// deep finds what longest finds, in fewer steps: most of the strings that share a hash of three bytes
// share no fourth one. How far down the chain of three bytes a string stands, which is what a level
// limits, is known by its rank.
type deep struct {
	head [1 << deepBits]uint16 // by a hash of four bytes
	prev [windowSize]uint16
	next int // the first string that is not in the table yet
}

const deepBits = 16

// deepChain is from which chain on the second table is worth its keep.
const deepChain = 128

func (d *deflater) hash4(s int) uint32 {
	return binary.LittleEndian.Uint32(d.window[s:]) * 0x9e3779b1 >> (32 - deepBits)
}

// catchUp brings the table up to start. All bytes of the strings are there by then.
func (d *deflater) catchUp() {
	p := d.deep
	s := max(p.next, d.start-windowSize)
	for ; s < d.start; s++ {
		h := d.hash4(s)
		p.prev[s&windowMask] = p.head[h]
		p.head[h] = uint16(s)
	}
	p.next = s
}

// deepest is longest, for a string with minLookahead bytes after it.
func (d *deflater) deepest(candidate int) int {
	d.catchUp()
	chain, best := d.chain, max(d.prevLength, minMatch)
	if d.prevLength >= d.good {
		chain >>= 2
	}
	limit := max(d.start-maxDist, 0)
	w, p := d.window[:], d.deep
	scan := w[d.start : d.start+maxMatch : d.start+maxMatch]
	first, last := binary.LittleEndian.Uint32(scan), scan[best]
	rank, found := d.rank[d.start&windowMask], false
	steps := 2 * chain
	for at := int(p.head[d.hash4(d.start)]); at > limit || at == candidate && at > 0; at = int(p.prev[at&windowMask]) {
		if steps--; steps < 0 {
			return d.longest(candidate) // many strings that only share the hash
		}
		if binary.LittleEndian.Uint32(w[at:]) != first {
			continue
		}
		if int(rank-d.rank[at&windowMask]) > chain {
			break
		}
		if w[at+best] != last {
			continue
		}
		if n := same(w[at:at+maxMatch], scan); n > best {
			d.matchStart, best, found = at, n, true
			if n >= d.nice || n >= maxMatch {
				break
			}
			last = scan[best]
		}
	}
	if found || d.prevLength >= minMatch {
		return best
	}
	return d.nearest(candidate, chain, limit)
}

// nearest returns the length of the nearest match of three bytes, which is of no use if it is too far.
func (d *deflater) nearest(candidate, chain, limit int) int {
	limit = max(limit, d.start-tooFar-1)
	w, a, b, c := d.window[:], d.window[d.start], d.window[d.start+1], d.window[d.start+2]
	for {
		if w[candidate] == a && w[candidate+1] == b && w[candidate+2] == c {
			d.matchStart = candidate
			return minMatch
		}
		candidate = int(d.prev[candidate&windowMask])
		if chain--; candidate <= limit || chain == 0 {
			return minMatch - 1
		}
	}
}
