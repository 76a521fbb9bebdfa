package replay

// Locality is when an encoder decides again what it decided before. All of those that are meant find
// every match within the last 32 KiB by a hash chain that holds all strings there, look at most one
// string further before they take one (lazy matching), and begin anew after each match: what follows
// a match depends on the 32 KiB before and the 258 bytes after it, and on nothing else but Period.
type Locality struct {
	// Period is after how many bytes of the stream, from its beginning, decisions differ for another
	// reason: at multiples of it they depend on nothing that comes later (an encoder that starts anew)
	// or may not go back as far as elsewhere (one whose window moves). 0 is never.
	Period int64
	// Aligned says that two places at the same distance from such a multiple do not differ.
	Aligned bool
}

// How far decisions look: behind, and ahead of the string that they are about.
const (
	behind = windowSize + 1
	ahead  = maxMatch + 6
)

// Player tells the encoder of a new stream what the encoder of an old one decided about the same
// bytes. Places in the new stream are plain bytes from its beginning.
type Player struct {
	local   Locality
	regions []region
	cursor  cursor
	taken   int64
}

// Taken returns how many plain bytes of the new stream took their tokens from an old one.
func (r *Player) Taken() int64 { return r.taken }

// region is a stretch of the new stream that repeats a stretch of an old one.
type region struct {
	log        *Log
	start, end int64
	from       int64 // where in the new stream decisions agree
	shift      int64 // what makes a place of the new stream one of the old blob's plain bytes
	old        stream
}

// worth is how much longer than what is lost a region has to be to be kept.
const worth = 4 << 10

// maxRegions bounds the regions that an encoder, which lags behind, has not come to yet.
const maxRegions = 64

// NewPlayer returns a Player for an encoder.
func NewPlayer(l Locality) *Player { return &Player{local: l} }

// Same notes that n bytes at a place of the new stream are those at an offset of the plain bytes that
// log is about. It has to be called in order, and before the encoder is given the bytes.
func (r *Player) Same(at int64, log *Log, offset, n int64) {
	if k := len(r.regions) - 1; k >= 0 {
		last := &r.regions[k]
		if last.log == log && last.end == at && last.shift == offset-at {
			last.end = min(at+n, last.old.end-last.shift)
			return
		}
		if last.end < last.from+worth {
			r.regions = r.regions[:k]
		}
	}
	old, ok := log.find(offset)
	if !ok || len(r.regions) == maxRegions {
		return
	}
	next := region{log: log, start: at, end: min(at+n, old.end+at-offset), from: at + behind, shift: offset - at, old: old}
	if at == 0 && offset == old.start {
		next.from = 0
	}
	r.regions = append(r.regions, next)
}

// Next returns, at a place of the new stream where a match has just ended or nothing came before,
// what follows: so many literals, then a match. It returns false if that is not known.
func (r *Player) Next(at int64) (literals, length, distance int, ok bool) {
	for len(r.regions) > 1 && r.regions[0].end <= at+ahead {
		r.regions = r.regions[1:]
	}
	if len(r.regions) == 0 {
		return 0, 0, 0, false
	}
	g := &r.regions[0]
	if at < g.from || at+ahead >= g.end {
		return 0, 0, 0, false
	}
	t, ok := r.next(g, at)
	return t.literals, t.length, t.distance, ok
}

func (r *Player) next(g *region, at int64) (t token, ok bool) {
	c := &r.cursor
	if c.log != g.log {
		*c = cursor{log: g.log, buf: c.buf[:0]}
	}
	old := at + g.shift
	if !c.seek(old) || !c.clean && old != g.old.start {
		return t, false
	}
	t, records := c.run()
	if records == 0 || at+int64(t.literals+t.length+ahead) > g.end || !r.agree(at, old-g.old.start, int64(t.literals)) {
		return t, false
	}
	for range records {
		next, _ := c.peek(0)
		c.take(next)
	}
	r.taken += int64(t.literals + t.length)
	return t, true
}

// agree tells whether decisions agree about the strings from a place of the new stream, and from one
// of the old, up to the match n bytes later.
func (r *Player) agree(at, old, n int64) bool {
	p := r.local.Period
	if p == 0 || r.local.Aligned && (at-old)%p == 0 {
		return true
	}
	return at%p+n+ahead <= p && old%p+n+ahead <= p
}
