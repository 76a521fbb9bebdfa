package tokens

import "math/bits"

// tooFar is the distance beyond which zlib does not take a match of three bytes.
const tooFar = 4096

// model codes tokens, given the plain bytes: each against what the matcher expects.
type model struct {
	matcher
	*coder
	pos     int64
	now     found // the match at pos that is expected
	known   bool  // now holds for pos
	after   found // a longer one at the next byte
	history int   // which of the last tokens were as expected

	isMatch []prob
	isSame  []prob
	lengths [lengthBuckets][]prob
	ranks   [2]rankModel
	blocks  blockModel
}

// rankModel codes how many nearer strings would have done.
type rankModel struct {
	first []prob
	more  *number
	far   []prob // distances of strings that are not met
}

const (
	lengthBuckets = 8
	escaped       = maxHops // the rank of a string that is not met
)

func newModel(m Model, c *coder, end int64) *model {
	d := &model{matcher: matcher{Model: m, end: end}, coder: c}
	d.isMatch = newProbs(lengthBuckets * 2 * 4 * 4 * 8)
	d.isSame = newProbs(lengthBuckets * 2 * 8)
	for i := range d.lengths {
		d.lengths[i] = newProbs(256)
	}
	for i := range d.ranks {
		d.ranks[i] = rankModel{newProbs(lengthBuckets * 2), newNumber(), newProbs(windowSize)}
	}
	d.blocks = newBlockModel()
	return d
}

func lengthBucket(n int) int {
	switch {
	case n < minMatch:
		return 0
	case n < 6:
		return n - 2
	case n < 8:
		return 4
	case n < 16:
		return 5
	case n < 64:
		return 6
	}
	return 7
}

// expect looks what the encoder would do at pos, and returns whether that is a match.
func (d *model) expect() bool {
	if !d.known {
		d.now = d.find(d.pos, minMatch-1, d.chain)
	}
	d.after = found{}
	if d.now.length < minMatch {
		return false
	}
	if !d.greedy && d.now.length < d.lazy {
		chain := d.chain
		if d.now.length >= d.good {
			chain >>= 2
		}
		d.after = d.find(d.pos+1, d.now.length, chain)
	}
	return d.after.length == 0 && (d.now.length > minMatch || d.now.dist <= tooFar)
}

// token codes the token at pos and goes past it.
func (d *model) token(t Token) Token {
	expected := d.expect()
	bucket := lengthBucket(d.now.length)
	at := (((bucket*2+bit(expected))*4+min(3, max(0, d.after.length-d.now.length)))*4+d.nearness())*8 + d.history
	if d.bit(&d.isMatch[at], bit(t.length() != 0)) == 0 {
		value := Token(d.buf[d.pos-d.base])
		d.literal(expected)
		return value
	}
	length := d.length(t, bucket, expected)
	if int64(length) > d.end-d.pos {
		d.short = true
		length = int(d.end - d.pos)
	}
	dist := d.distance(t, length)
	d.note(expected && length == d.now.length && dist == d.now.dist)
	if d.greedy && length > d.lazy {
		d.insert(d.pos)
		d.skip = d.pos + int64(length)
	}
	d.pos += int64(length)
	d.known = false
	return match(length, dist)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (d *model) note(hit bool) { d.history = d.history<<1&7 | bit(!hit) }

// nearness tells apart the distances of short matches.
func (d *model) nearness() int {
	if d.now.length < minMatch || d.now.length > 5 {
		return 0
	}
	switch n := bits.Len(uint(d.now.dist)); {
	case n < 10:
		return 1
	case n < 13:
		return 2
	}
	return 3
}

func (d *model) literal(expected bool) {
	d.note(!expected)
	d.known = d.after.length > 0
	d.now = d.after
	d.pos++
}

func (d *model) length(t Token, bucket int, expected bool) int {
	if bucket > 0 && d.bit(&d.isSame[(bucket*2+bit(expected))*8+d.history], bit(t.length() != d.now.length)) == 0 {
		return d.now.length
	}
	return d.tree(d.lengths[bucket], 8, t.length()-minMatch) + minMatch
}

// distance codes the distance by its rank.
func (d *model) distance(t Token, length int) int {
	same := length == d.now.length
	r := &d.ranks[bit(same)]
	first := &r.first[lengthBucket(length)*2+d.history&1]
	rank := 0
	if !d.reads && !(same && t.dist() == d.now.dist) {
		if rank = d.rank(d.pos, length, t.dist()); rank < 0 {
			rank = escaped
		}
	}
	if d.bit(first, bit(rank != 0)) == 0 {
		if same {
			return d.now.dist
		}
		return d.atRank(length, 0)
	}
	if rank = d.number(r.more, rank-1) + 1; rank != escaped {
		return d.atRank(length, rank)
	}
	return d.tree(r.far, 15, t.dist()-1) + 1
}

func (d *model) atRank(length, rank int) int {
	dist := d.ranked(d.pos, length, rank)
	if dist == 0 {
		d.short = true
		return 1
	}
	return dist
}
