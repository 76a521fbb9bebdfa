package cdeflate

import "encoding/binary"

// deep finds what longest finds, in fewer steps: most of the strings that share a hash of three bytes
// share no fourth one, and where six bytes are found again the shorter matches need no look. How far down
// the chain of three bytes a string stands, which is what a level limits, is known by its rank.
type deep struct {
	short, long table // by four bytes and by six
	next        int   // the first string that is in neither yet
}

// table chains strings with the same hash.
type table struct {
	head [1 << deepBits]uint16
	prev [windowSize]uint16
}

const deepBits = 16

// deepChain is from which chain on these tables are worth their keep.
const deepChain = 128

// The bytes of a string that a table is about, of the eight in a word.
const (
	shortBytes, shortMask = 4, 1<<32 - 1
	longBytes, longMask   = 6, 1<<48 - 1
)

func hashOf(word uint64, bytes int) uint16 {
	return uint16(word << (64 - 8*bytes) * 0x9e3779b97f4a7c15 >> (64 - deepBits))
}

func (t *table) insert(s int, h uint16) {
	t.prev[s&windowMask] = t.head[h]
	t.head[h] = uint16(s)
}

// catchUp brings the tables up to start. All bytes of the strings are there by then.
func (d *deflater) catchUp() {
	p := d.deep
	for s := max(p.next, d.start-windowSize); s < d.start; s++ {
		word := binary.LittleEndian.Uint64(d.window[s:])
		p.short.insert(s, hashOf(word, shortBytes))
		p.long.insert(s, hashOf(word, longBytes))
	}
	p.next = d.start
}

// search is for the string at start, whose first string with its hash of three bytes is candidate.
type search struct {
	candidate, chain, limit int
	best                    int // the length to be beaten
}

// deepest is longest, for a string with minLookahead bytes after it.
func (d *deflater) deepest(candidate int) int {
	d.catchUp()
	p := d.deep
	s := search{candidate, d.chain, max(d.start-maxDist, 0), max(d.prevLength, minMatch)}
	if d.prevLength >= d.good {
		s.chain >>= 2
	}
	word := binary.LittleEndian.Uint64(d.window[d.start:])
	n, ok := d.walk(&p.long, s, word, longMask, longBytes, d.nice)
	if ok && n <= s.best && s.best < longBytes-1 {
		n, ok = d.walk(&p.short, s, word, shortMask, shortBytes, longBytes-1)
	}
	switch {
	case !ok:
		return d.longest(candidate) // many strings that only share the hash
	case n > s.best || d.prevLength >= minMatch:
		return n
	}
	return d.nearest(candidate, s.chain, s.limit)
}

// walk looks for the best match among the strings of t that begin as word does. It ends at one of enough
// bytes. It returns false if there are many others.
func (d *deflater) walk(t *table, s search, word, mask uint64, bytes, enough int) (int, bool) {
	w, scan := d.window[:], d.window[d.start:d.start+maxMatch:d.start+maxMatch]
	best, last := s.best, scan[s.best]
	rank := d.rank[d.start&windowMask]
	steps := 2 * s.chain
	for at := int(t.head[hashOf(word, bytes)]); at > s.limit || at == s.candidate && at > 0; at = int(t.prev[at&windowMask]) {
		if steps--; steps < 0 {
			return 0, false
		}
		if (binary.LittleEndian.Uint64(w[at:])^word)&mask != 0 {
			continue
		}
		if int(rank-d.rank[at&windowMask]) > s.chain {
			break
		}
		if w[at+best] != last {
			continue
		}
		if n := same(w[at:at+maxMatch], scan); n > best {
			d.matchStart, best = at, n
			if n >= enough || n >= maxMatch {
				break
			}
			last = scan[best]
		}
	}
	return best, true
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
