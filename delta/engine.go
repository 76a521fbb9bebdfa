package delta

// segment makes the next length bytes of new out of old bytes at from, or literally if from is negative.
// Bytes of an inexact segment may differ from the old ones.
type segment struct {
	length int
	from   int
}

const literal = -1

// matching says how differences between two files are found.
type matching struct {
	key   int // bytes that a match is found by
	depth int // candidates looked at
	least int // bytes of a match worth a new copy
}

// differ cuts new into segments of old.
type differ struct {
	matching
	x        *index
	old, new []byte
	out      []segment
	done     int // bytes of new that out covers
	from     int // where the copy in hand begins in old, for new[start:]
	start    int
	open     bool
}

// switchGain is by how many bytes another diagonal has to match better to be taken.
const switchGain = 8

// A copy from farther than nearby has to be longer by farCost bytes: its address costs more.
const (
	nearby  = 32 << 10
	farCost = 8
)

// scored is how far two diagonals are compared.
const scored = 512

// diffInexact cuts new into copies that may go over changed bytes, as suits programs, in the manner of
// Percival's bsdiff: a copy goes on along its diagonal until another one matches clearly better.
func diffInexact(old, new []byte, m matching, x *index) []segment {
	d := &differ{matching: m, x: x, old: old, new: new}
	for at := 0; at < len(new); {
		at = d.step(at)
	}
	d.end(len(new), 0)
	if d.done < len(new) {
		d.emit(len(new)-d.done, literal)
	}
	return d.out
}

// step looks at new[at:] and returns where to look next.
func (d *differ) step(at int) int {
	expected := d.from + at - d.start
	along := 0
	if d.open && expected < len(d.old) {
		along = matchLength(d.old[expected:], d.new[at:], len(d.new))
		if along >= d.least || along >= 8 {
			return at + along
		}
	}
	position, length := d.x.find(d.new[at:], d.depth, expected)
	least := d.least
	if distance(position, expected) > nearby {
		least += farCost
	}
	if length < least || !d.better(at, expected, length) {
		return at + max(1, along)
	}
	back := matchBefore(d.old[:position], d.new[d.done:at], at-d.done)
	d.end(at, back)
	d.begin(at, position)
	return at + length
}

// better tells whether a match of length bytes beats the diagonal in hand.
func (d *differ) better(at, expected, length int) bool {
	if !d.open {
		return true
	}
	length = min(length, scored)
	same := 0
	for i := 0; i < length && expected+i < len(d.old); i++ {
		if d.old[expected+i] == d.new[at+i] {
			same++
		}
	}
	return length > same+switchGain
}

// begin starts a copy of old[position:] at new[at:], going back as far as that pays.
func (d *differ) begin(at, position int) {
	back := d.stretch(min(at-d.done, position), func(i int) bool { return d.old[position-1-i] == d.new[at-1-i] })
	if at-back > d.done {
		d.emit(at-back-d.done, literal)
	}
	d.start, d.from, d.open = at-back, position-back, true
}

// end closes the copy in hand: it goes on as far as that pays before new[at:], where the next match
// begins. back bytes before at match the next copy exactly.
func (d *differ) end(at, back int) {
	if !d.open {
		return
	}
	limit := min(at-d.start, len(d.old)-d.from)
	length := d.stretch(limit, func(i int) bool { return d.old[d.from+i] == d.new[d.start+i] })
	length = max(min(length, at-back-d.start), 0)
	if length > 0 {
		d.emit(length, d.from)
	}
	d.open = false
}

// stretch returns how far to go so that equal bytes outweigh others most.
func (d *differ) stretch(limit int, same func(i int) bool) int {
	best, length, score := 0, 0, 0
	for i := range limit {
		if same(i) {
			score++
		} else {
			score--
		}
		if score > best {
			best, length = score, i+1
		}
	}
	return length
}

func (d *differ) emit(length, from int) {
	d.done += length
	d.out = append(d.out, segment{length, from})
}
