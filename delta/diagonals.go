package delta

import (
	"math"
	"math/bits"
	"slices"

	"github.com/sallyport-dev/sallyport/delta/program"
)

// prices are what parts of a patch cost, in quarters of a bit. They are averages of real patches.
type prices struct {
	literal int // each byte
	changed int // a byte of a copy after one that stays
	again   int // a byte of a copy after one that changes
	open    int // a literal stretch
	jump    int // a copy; its distance from where the last one went on comes on top
	inside  int // more for a copy that begins inside of an instruction: its references are not projected
}

// opening is what a copy costs that begins at new[at] on a diagonal, after one on another.
func (p *parser) opening(at, from, to int) int {
	price := p.jump + 4*bits.Len(uint(distance(from, to)))
	if n := at + to; n >= 0 && n < 64*len(p.within) && p.within[n/64]>>(n%64)&1 != 0 {
		price += p.inside
	}
	return price
}

// patchPrices are for programs.
var patchPrices = prices{literal: 17, changed: 48, again: 24, open: 32, jump: 48, inside: 40}

// diagonal is a way to make the bytes up to here whose last copy has a shift: new[i] is old[i+shift].
type diagonal struct {
	shift   int
	cost    int
	at      int // where the copy begins in new
	before  int // shift of the copy before a literal stretch
	prev    int32
	node    int32 // of this copy, -1 while there is none
	changes bool  // the last byte was a changed one
	used    int   // when it was the cheapest or found last
}

// node is a copy or literal stretch of a way; it ends where the next one begins.
type node struct {
	at, shift int
	prev      int32
}

// parser finds the cheapest way to make new out of copies of old that may go over changed bytes and
// literal bytes, among the diagonals that an index finds: Viterbi's algorithm.
type parser struct {
	prices
	x        *index
	old, new []byte
	ways     []diagonal // the first is literal
	nodes    []node
	hints    []program.Hint
	within   []uint64 // bits of bytes of old that are inside of instructions
	past     [backward]past
}

// past is the cheapest way up to a place.
type past struct {
	cost  int
	shift int
	node  int32
}

const (
	cheapestKey   = 8  // bytes that candidates are found by
	cheapestDepth = 32 // candidates looked at for a place
	maxWays       = 20
	longMatch     = 64                         // bytes that match on the cheapest way are gone over at once if they are so many
	backward      = 64                         // how far a copy is tried before the bytes that it was found by
	noShift       = min(1<<60, math.MaxInt>>2) // ints may have 32 bits
	never         = min(1<<40, math.MaxInt>>2)
)

// diffCheapest cuts new into segments as a parser does.
func diffCheapest(old, new []byte, x *index, hints []program.Hint, within []uint64) []segment {
	p := &parser{prices: patchPrices, x: x, old: old, new: new, hints: hints, within: within}
	p.ways = append(p.ways, diagonal{shift: noShift, node: -1, prev: -1}, diagonal{node: -1, prev: -1})
	for at := 0; at < len(new); {
		at = p.step(at)
	}
	return p.trace()
}

// step goes on from new[at] and returns up to where.
func (p *parser) step(at int) int {
	best := p.cheapest()
	p.ways[best].used = at
	along := 0
	if shift := p.ways[best].shift; shift != noShift {
		along = p.match(shift, at)
	}
	if along < longMatch/2 {
		p.find(at, p.shiftOf(&p.ways[best]))
	}
	p.follow(at)
	if now := p.cheapest(); now != best {
		best, along = now, 0
	}
	p.reopen(at, best)
	b := &p.ways[best]
	p.past[at%backward] = past{b.cost, p.shiftOf(b), p.nodeOf(best)}
	if along = p.untilHint(at, along, b.shift); along >= longMatch {
		return p.skip(at, best, along-longMatch/2)
	}
	p.advance(at)
	return at + 1
}

// follow adds the diagonals of hints at new[at].
func (p *parser) follow(at int) {
	for len(p.hints) > 0 && int(p.hints[0].New) <= at {
		if h := p.hints[0]; int(h.New) == at {
			p.add(at, int(h.Old)-at)
		}
		p.hints = p.hints[1:]
	}
}

// untilHint returns how far of a match on a diagonal there is no hint of another.
func (p *parser) untilHint(at, along, shift int) int {
	for _, h := range p.hints {
		if int(h.New) >= at+along {
			break
		}
		if int(h.Old)-int(h.New) != shift {
			return int(h.New) - at
		}
	}
	return along
}

func (p *parser) match(shift, at int) int {
	if at+shift < 0 || at+shift >= len(p.old) {
		return 0
	}
	return matchLength(p.new[at:], p.old[at+shift:], maxCompared)
}

func (p *parser) cheapest() int {
	best := 0
	for i := range p.ways {
		if p.ways[i].cost < p.ways[best].cost {
			best = i
		}
	}
	return best
}

// shiftOf returns the shift that the next copy is measured by.
func (p *parser) shiftOf(d *diagonal) int {
	if d.shift == noShift {
		return d.before
	}
	return d.shift
}

// nodeOf returns the node of a way's last part.
func (p *parser) nodeOf(i int) int32 {
	d := &p.ways[i]
	if d.node < 0 {
		d.node = int32(len(p.nodes))
		p.nodes = append(p.nodes, node{d.at, d.shift, d.prev})
	}
	return d.node
}

// reopen lets all ways begin anew at new[at] that are dearer than the best with a change of diagonal.
func (p *parser) reopen(at, best int) {
	from := p.shiftOf(&p.ways[best])
	cost := p.ways[best].cost
	for i := range p.ways {
		d := &p.ways[i]
		if i == best {
			continue
		}
		price := p.open
		if d.shift != noShift {
			price = p.opening(at, from, d.shift)
		}
		if cost+price < d.cost {
			*d = diagonal{shift: d.shift, cost: cost + price, at: at, before: from, prev: p.nodeOf(best), node: -1, used: d.used}
		}
	}
}

// advance makes new[at] in every way.
func (p *parser) advance(at int) {
	for i := range p.ways {
		d := &p.ways[i]
		if d.shift == noShift {
			d.cost += p.literal
			continue
		}
		p.byteOf(d, at)
	}
}

func (p *parser) byteOf(d *diagonal, at int) {
	from := at + d.shift
	switch {
	case from < 0 || from >= len(p.old):
		d.cost = never
	case p.old[from] == p.new[at]:
		d.changes = false
	case d.changes:
		d.cost += p.again
	default:
		d.cost += p.changed
		d.changes = true
	}
}

// skip goes on for n bytes that the best way matches. Others that do not match them begin anew.
func (p *parser) skip(at, best, n int) int {
	for i := range p.ways {
		d := &p.ways[i]
		if i != best && (d.shift == noShift || p.match(d.shift, at) < n) {
			d.cost = never
		}
		d.changes = false
	}
	b := &p.ways[best]
	kept := past{b.cost, p.shiftOf(b), p.nodeOf(best)}
	for i := range min(n, backward) {
		p.past[(at+n-1-i)%backward] = kept
	}
	return at + n
}

// found is a place in old that matches.
type found struct{ shift, length int }

// find adds the diagonals on which old bytes match new[at:] best; of equals those nearest to one.
func (p *parser) find(at int, near int) {
	var list [8]found
	last := len(list) - 1
	p.x.each(p.new[at:], cheapestDepth, func(position int) {
		f := found{position - at, matchLength(p.new[at:], p.old[position:], 4*longMatch)}
		if f.length < p.x.key || !f.beats(list[last], near) {
			return
		}
		k := last
		for ; k > 0 && f.beats(list[k-1], near); k-- {
			list[k] = list[k-1]
		}
		list[k] = f
	})
	for _, f := range list {
		if f.length > 0 {
			p.add(at, f.shift)
		}
	}
}

func (f found) beats(other found, near int) bool {
	return f.length > other.length || f.length == other.length && distance(f.shift, near) < distance(other.shift, near)
}

// add lets a copy on a diagonal begin at new[at] or before, where it is cheapest.
func (p *parser) add(at, shift int) {
	if at+shift < 0 || at+shift >= len(p.old) {
		return
	}
	for i := range p.ways {
		if p.ways[i].shift == shift {
			p.ways[i].used = at
			return
		}
	}
	b := p.cheapest()
	p.past[at%backward] = past{p.ways[b].cost, p.shiftOf(&p.ways[b]), p.nodeOf(b)}
	d := diagonal{shift: shift, cost: never, node: -1, used: at}
	extra, again := 0, false
	for i := at; ; i-- {
		h := &p.past[i%backward]
		if cost := h.cost + p.opening(i, h.shift, shift) + extra; cost < d.cost {
			d.cost, d.at, d.before, d.prev = cost, i, h.shift, h.node
		}
		if i == 0 || i+shift == 0 || i < at-backward+2 || extra > 4*p.changed {
			break
		}
		switch same := p.old[i-1+shift] == p.new[i-1]; {
		case same:
		case again:
			extra += p.again
		default:
			extra += p.changed
		}
		again = p.old[i-1+shift] != p.new[i-1]
	}
	p.keep(d)
}

// keep makes d one of the ways, instead of the one that was of use least recently if there are many.
func (p *parser) keep(d diagonal) {
	if len(p.ways) < maxWays {
		p.ways = append(p.ways, d)
		return
	}
	worst := 1
	for i := range p.ways[1:] {
		if w := &p.ways[i+1]; w.used < p.ways[worst].used {
			worst = i + 1
		}
	}
	p.ways[worst] = d
}

// trace returns the segments of the cheapest way.
func (p *parser) trace() []segment {
	var out []segment
	end := len(p.new)
	for n := p.nodeOf(p.cheapest()); n >= 0; n = p.nodes[n].prev {
		v := p.nodes[n]
		if v.at < end {
			s := segment{end - v.at, literal}
			if v.shift != noShift {
				s.from = v.at + v.shift
			}
			out = append(out, s)
		}
		end = v.at
	}
	slices.Reverse(out)
	return out
}
