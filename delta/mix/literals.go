package mix

import (
	"bytes"
	"io"
)

// Kind says what literal bytes are.
type Kind int

// The kinds of literals.
const (
	Text Kind = iota
	Binary
	kinds
)

// MaxLiterals is how many bytes of literals there may be.
const MaxLiterals = 8 << 20

// Literals codes bytes that no copy makes. It knows what stands around the old bytes that they replace,
// of which the last ones before pass for the new ones.
type Literals struct {
	coder  *Coder
	size   int64
	all    [kinds]*Decider
	d      *Decider
	kind   Kind
	past   *history
	guide  *guide
	here   forecast
	there  forecast
	at, to uint32 // what the forecasts point at: in past, in guide; 0: at nothing
	last   uint64
	seen   uint32 // where the last bytes stood before in past
	runs   [2][16]estimate
	run    [64 * run]byte // foretold
	quiet  int            // bytes until runs are tried again
}

// run is how many bytes one bit may confirm; more where many have been foretold.
const run = 16

// runOf returns how many bytes one bit confirms after n that were foretold.
func runOf(n int) int {
	switch {
	case n >= 4096:
		return 64 * run
	case n >= 512:
		return 8 * run
	}
	return run
}

// sure is how many bytes have to match before runs are tried.
const sure = 24

// placesOf is how many places of a table there are for a literal byte.
const placesOf = 8

// NewLiterals returns a coder of at most size literal bytes.
func NewLiterals(c *Coder, size int64) *Literals {
	l := &Literals{coder: c, size: size, past: newHistory(size), guide: newGuide(size)}
	for i := range l.runs {
		for j := range l.runs[i] {
			l.runs[i][j] = half
		}
	}
	return l
}

// Begin begins a literal that replaces old bytes at an address.
func (l *Literals) Begin(kind Kind, address int64) {
	l.kind = kind
	if l.all[kind] == nil {
		l.all[kind] = NewDecider(l.coder, placesOf*l.size)
	}
	l.d = l.all[kind]
	l.at, l.quiet = 0, 0
	l.to = l.guide.near(address)
	for _, c := range l.guide.last(address) {
		l.see(c)
	}
	if l.to > 0 {
		l.there.length, l.there.misses = l.past.agree(l.guide.before(l.to)), 0
	}
	l.point()
}

// Source makes what src gives the old version. Its first same bytes are those of the one before.
func (l *Literals) Source(src io.ReaderAt, size, same int64) { l.guide.turnTo(src, size, same) }

// Err returns the first error of reading the old version.
func (l *Literals) Err() error { return l.guide.err }

// point finds what the next byte may be.
func (l *Literals) point() {
	if l.at == 0 || l.here.length < 16 {
		if n := l.past.match(l.seen); n >= 6 && (l.at == 0 || n > l.here.length) {
			l.at, l.here.length, l.here.misses = l.seen, n, 0
		}
	}
	if l.here.active = l.past.holds(l.at); l.here.active {
		l.here.byte = l.past.get(l.at)
	}
	if l.to == 0 || l.there.length < 16 {
		if at := l.guide.index[l.guide.hash(l.last)]; at > 0 && at != l.to && int(at) <= len(l.guide.ring) {
			if n := l.past.agree(l.guide.before(at)); n >= 5 && (l.to == 0 || n > l.there.length) {
				l.to, l.there.length, l.there.misses = at, n, 0
			}
		}
	}
	if l.there.active = l.to > 0; l.there.active {
		l.there.byte = l.guide.get(l.to)
	}
}

// Chunk is how many bytes of a literal are coded at a time.
const Chunk = 64 << 10

// Code codes b: the next Chunk bytes of a literal, or what is left of it.
func (l *Literals) Code(b []byte) {
	l.guide.credit += perLiteral * int64(len(b))
	for len(b) > 0 {
		if l.quiet == 0 {
			if n, tried := l.codeRun(b); n > 0 {
				b = b[n:]
				continue
			} else if tried {
				l.quiet = run
			}
		}
		x := l.contexts()
		b[0] = l.d.Byte(b[0], &x, l.here.graded()<<4|l.there.graded())
		l.advance(b[0])
		if l.quiet > 0 {
			l.quiet--
		}
		b = b[1:]
	}
}

// codeRun codes whether the next bytes of b are those that the longer match has, and if so, all of them.
func (l *Literals) codeRun(b []byte) (n int, tried bool) {
	f, which := &l.here, 0
	if l.there.active && (!f.active || l.there.length >= f.length) {
		f, which = &l.there, 1
	}
	if n = runOf(f.length); len(b) < n {
		n = run
	}
	if !f.active || f.length < sure || len(b) < n {
		return 0, false
	}
	from := l.run[:n]
	if which == 0 {
		l.past.repeat(from, l.at)
	} else if copy(from, l.guide.span(l.to)) < n {
		return 0, false
	}
	b = b[:n]
	bit := uint32(0)
	if bytes.Equal(b, from) { // a decoder's b means nothing, and its bit neither
		bit = 1
	}
	e := &l.runs[which][grade(f.length)]
	bit = l.coder.bit(bit, min(max(uint32(*e>>16), 16), 65536-16))
	e.learn(bit)
	if bit == 0 {
		return 0, true
	}
	copy(b, from)
	for _, c := range b {
		l.advance(c)
	}
	return n, true
}

// advance takes the byte that came.
func (l *Literals) advance(c byte) {
	l.here.see(c)
	l.there.see(c)
	l.see(c)
	if l.at > 0 {
		l.at++
	}
	if l.to > 0 {
		l.to = l.guide.after(l.to)
	}
	if l.here.misses&0xff > 8 || l.here.length == 0 {
		l.at = 0
	}
	if l.there.misses&0xff == 0xff {
		l.to = 0
	}
	l.point()
}

// see takes a byte into the contexts.
func (l *Literals) see(c byte) {
	l.last = l.last<<8 | uint64(c)
	l.seen = l.past.add(c, l.last)
}

// contexts returns those of the next byte.
func (l *Literals) contexts() Contexts {
	last := l.last
	there, here := l.there.context()*0x2f0b4c47, l.here.context()*0x2f0b4c47
	if l.kind == Text {
		return Contexts{order(last, 1), order(last, 3), there, here}
	}
	if l.here.active && (!l.there.active || min(l.here.length, 15) > min(l.there.length, 15)) {
		there = here + 1<<14
	}
	return Contexts{order(last, 1), order(last, 2), uint32(last >> 16 & 0xffff), there}
}
