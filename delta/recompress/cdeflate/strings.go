package cdeflate

import "encoding/binary"

// links are of the strings in the window, by where they begin: how many bytes before each the last one begins
// that shares its hash, which is zlib's of three bytes, or of those by which deepest goes one of four and of six.
// They stay as they are when the window slides.
type links struct {
	three, four, six [windowSize]uint16
	rank             [windowSize]uint16 // how many strings with its hash of three bytes came before a string, modulo 2^16
}

// far is the most that a link tells. No place in the window is so far from its beginning.
const far = 1<<16 - 1

// insertAhead is how many strings are inserted at once, which takes less time than one at a time and changes
// nothing, as chains lead back only. The links of strings that can be found must not be overwritten.
const insertAhead = windowSize - maxDist - wordBytes

// hashed is a hash of three bytes as zlib rolls it, from the lowest byte of a word on.
func hashed(word uint32) uint32 {
	return (word<<(2*hashShift) ^ word>>8&0xff<<hashShift ^ word>>16&0xff) & hashMask
}

// chained returns where the last string begins that shares the hash of the one at start; 0: there is none.
func (d *deflater) chained() int {
	if d.next <= d.start {
		d.insert()
	}
	return max(d.start-int(d.links.three[d.start&windowMask]), 0)
}

// insert enters the strings up to the one at start, and some more where all of them are entered anyway.
func (d *deflater) insert() {
	from, to := max(d.next, d.start-windowSize, 0), d.start+1
	whole := min(d.start+insertAhead, d.start+d.lookahead-wordBytes)
	switch {
	case d.fast || whole < to:
		d.insertThree(from, to)
	case d.deep == nil:
		to = whole
		d.insertThree(from, to)
	default:
		to = whole
		d.insertDeep(from, to)
	}
	d.next = to
}

// insertThree enters strings for longest.
func (d *deflater) insertThree(from, to int) {
	for s := from; s < to; s++ {
		h := hashed(uint32(d.window[s]) | uint32(d.window[s+1])<<8 | uint32(d.window[s+2])<<16)
		at := d.base + uint32(s)
		d.links.three[s&windowMask] = uint16(min(at-d.three[h], far))
		d.three[h] = at
	}
}

// insertDeep enters strings for deepest, with a word of bytes each.
func (d *deflater) insertDeep(from, to int) {
	w, at := d.window[from:to+wordBytes-1], d.base+uint32(from)
	l, p := &d.links, d.deep
	for ; len(w) >= wordBytes; w, at = w[1:], at+1 {
		word := binary.LittleEndian.Uint64(w)
		three := &d.three[hashed(uint32(word))]
		four, six := &p.four[hashOf(word, fourBytes)], &p.six[hashOf(word, sixBytes)]
		i := at & windowMask
		l.three[i], l.four[i], l.six[i] = uint16(min(at-*three, far)), uint16(min(at-*four, far)), uint16(min(at-*six, far))
		l.rank[i] = l.rank[*three&windowMask] + 1
		*three, *four, *six = at, at, at
	}
}

// forget makes all strings so far too far to be found.
func (d *deflater) forget() {
	d.next = 0
	d.moveBase(2 * windowSize)
}

// moveBase moves what stands for the window's first byte. Long before 2^32 bytes it begins anew.
func (d *deflater) moveBase(n uint32) {
	if d.base += n; d.base < 1<<31 {
		return
	}
	d.base, d.next = 2*windowSize, 0
	clear(d.three[:])
	if d.deep != nil {
		*d.deep = deepTables{}
	}
}
