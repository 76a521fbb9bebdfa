package program

import "math/bits"

// Places are where blocks of code begin in the new file, as far as spans tell: where a span begins or
// ends, and where blocks of the old file went.
type Places struct {
	from   int64 // offset in the new file
	size   int64 // bytes up to the last place, that included
	bits   []uint64
	counts []uint32 // places before each word of bits
}

// Places finds the places that spans make of the boundaries. There are none if they lie too far apart.
func (b *Boundaries) Places(spans []Span) *Places {
	from, to := int64(maxAddress), int64(0)
	for _, s := range spans {
		if b.Has(s.Old) {
			from, to = min(from, s.New), max(to, s.New+s.Size)
		}
	}
	p := &Places{from: from}
	if to <= from || to-from > 2*MaxBoundaries {
		return p
	}
	p.size = to - from + 1
	p.bits = make([]uint64, (to-from)/64+1)
	p.counts = make([]uint32, len(p.bits))
	for _, s := range spans {
		if b.Has(s.Old) {
			p.span(b, s)
		}
	}
	n := uint32(0)
	for i, w := range p.bits {
		p.counts[i] = n
		n += uint32(bits.OnesCount64(w))
	}
	return p
}

// span adds the places of a span.
func (p *Places) span(b *Boundaries, s Span) {
	from, to := s.Old-b.From, min(s.Old+s.Size-b.From, b.Size)
	at := s.New - p.from
	for i := from; i < to; i += markWord {
		w := counted(Block, b.word(int(i)))
		if to-i < markWord {
			w = before(w, int(to-i))
		}
		if w == 0 {
			continue
		}
		w = w >> 7 * 0x0102040810204080 >> 56 // a bit for each mark
		n := at + i - from
		p.bits[n/64] |= w << (n % 64)
		if n%64 > 64-markWord && n/64+1 < int64(len(p.bits)) {
			p.bits[n/64+1] |= w >> (64 - n%64)
		}
	}
	for _, at := range [2]int64{at, at + s.Size} {
		p.bits[at/64] |= 1 << (at % 64)
	}
}

// Has tells whether an offset of the new file lies among places.
func (p *Places) Has(at int64) bool { return at >= p.from && at-p.from < p.size }

// Is tells whether an offset is a place.
func (p *Places) Is(at int64) bool {
	at -= p.from
	return at >= 0 && at < p.size && p.bits[at/64]>>(at%64)&1 != 0
}

// Rank returns how many places lie before an offset among them.
func (p *Places) Rank(at int64) int64 {
	at -= p.from
	return int64(p.counts[at/64]) + int64(bits.OnesCount64(p.bits[at/64]&(1<<(at%64)-1)))
}

// Find returns the place that has a rank, and not ok if there is none.
func (p *Places) Find(rank int64) (int64, bool) {
	if rank < 0 || len(p.bits) == 0 {
		return 0, false
	}
	low, high := 0, len(p.counts) // the word is in [low, high)
	for low+1 < high {
		if middle := (low + high) / 2; int64(p.counts[middle]) <= rank {
			low = middle
		} else {
			high = middle
		}
	}
	w := p.bits[low]
	for range rank - int64(p.counts[low]) {
		w &= w - 1
		if w == 0 {
			break
		}
	}
	if w == 0 {
		return 0, false
	}
	return p.from + int64(low)*64 + int64(bits.TrailingZeros64(w)), true
}
