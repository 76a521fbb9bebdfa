package cdeflate

import "encoding/binary"

// deepTables are what deepest needs besides the links: where the last string with a hash begins, as in three.
type deepTables struct {
	four, six [1 << deepBits]uint32
}

const deepBits = 16

// deepChain is from which chain on these tables are worth their keep.
const deepChain = 128

// Bytes of a string that the tables of deepest take from a word.
const (
	fourBytes = 4
	sixBytes  = 6
	wordBytes = 8
)

// hashOf is of the first bytes of a word.
func hashOf(word uint64, bytes int) uint16 {
	return uint16(word << (64 - 8*bytes) * 0x9e3779b97f4a7c15 >> (64 - deepBits))
}

// search is for the string at start.
type search struct {
	word         uint64 // the string's first bytes
	chain, limit int    // matches begin after limit
	best         int    // the length to be beaten
}

// deepest finds what longest finds, of a string with minLookahead bytes after it, in fewer steps: most of the
// strings that share a hash of three bytes share no fourth one, and where six bytes are found again the shorter
// matches need no look. How far down the chain of three bytes a string stands, which is what a level limits, is
// known by its rank.
func (d *deflater) deepest(candidate int) int {
	s := search{binary.LittleEndian.Uint64(d.window[d.start:]), d.chain, max(d.start-maxDist, 0), max(d.prevLength, minMatch)}
	if d.prevLength >= d.good {
		s.chain >>= 2
	}
	if candidate == s.limit {
		s.limit-- // the first of a chain may be that far
	}
	n, ok := d.walkSix(&s)
	if ok && n <= s.best && s.best < sixBytes-1 {
		n, ok = d.walkFour(&s)
	}
	switch {
	case !ok:
		return d.longest(candidate) // many strings that only share the hash
	case n > s.best || d.prevLength >= minMatch:
		return n
	}
	return d.nearest(candidate, s.chain, s.limit)
}

// walkSix looks for the best match among the strings that share six bytes. It returns false if there are
// many others.
//
// A match that is longer than the best one so far shares the bytes there, too, so that it is enough to
// look at what shares the six that end behind it: few strings, as a rule, or none.
func (d *deflater) walkSix(s *search) (int, bool) {
	w, scan := &d.window, d.window[d.start:d.start+maxMatch:d.start+maxMatch]
	six, rank := &d.links.six, &d.links.rank
	best := s.best
	last := binary.LittleEndian.Uint32(scan[best-3:])
	offset := d.behind(best)
	at := d.start + offset - int(six[(d.start+offset)&windowMask])
	for steps := 2 * s.chain; at > s.limit+offset; at -= int(six[at&windowMask]) {
		if steps--; steps < 0 {
			return 0, false
		}
		candidate := at - offset
		if binary.LittleEndian.Uint32(w[candidate+best-3:]) != last || (binary.LittleEndian.Uint64(w[candidate:])^s.word)<<(64-8*sixBytes) != 0 {
			continue
		}
		if int(rank[d.start&windowMask]-rank[candidate&windowMask]) > s.chain {
			break
		}
		if n := same(w[candidate:candidate+maxMatch], scan); n > best {
			d.matchStart, best = candidate, n
			if n >= d.nice || n >= maxMatch {
				break
			}
			last = binary.LittleEndian.Uint32(scan[best-3:])
			offset = d.behind(best)
			at = d.start + offset
		}
	}
	return best, true
}

// behind is where in the string at start the six bytes begin that end behind a match of n bytes, or, at worst, six
// before them that are in the table.
func (d *deflater) behind(n int) int { return max(min(n+1-sixBytes, d.next-1-d.start), 0) }

// walkFour does the same among the strings that share four bytes, of which none shares six.
func (d *deflater) walkFour(s *search) (int, bool) {
	w, best := &d.window, s.best
	l := &d.links
	at, rank := d.start-int(l.four[d.start&windowMask]), l.rank[d.start&windowMask]
	for steps := 2 * s.chain; at > s.limit; at -= int(l.four[at&windowMask]) {
		if steps--; steps < 0 {
			return 0, false
		}
		differ := binary.LittleEndian.Uint64(w[at:]) ^ s.word
		if differ<<(64-8*fourBytes) != 0 {
			continue
		}
		if int(rank-l.rank[at&windowMask]) > s.chain {
			break
		}
		if differ<<(56-8*best) != 0 {
			continue
		}
		d.matchStart, best = at, fourBytes
		if differ<<(56-8*fourBytes) == 0 {
			return fourBytes + 1, true
		}
	}
	return best, true
}

// nearest returns the length of the nearest match of three bytes, which is of no use if it is too far.
func (d *deflater) nearest(candidate, chain, limit int) int {
	limit = max(limit, d.start-tooFar-1)
	w, a, b, c := &d.window, d.window[d.start], d.window[d.start+1], d.window[d.start+2]
	for {
		if w[candidate] == a && w[candidate+1] == b && w[candidate+2] == c {
			d.matchStart = candidate
			return minMatch
		}
		candidate -= int(d.links.three[candidate&windowMask])
		if chain--; candidate <= limit || chain == 0 {
			return minMatch - 1
		}
	}
}
