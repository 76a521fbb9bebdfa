package delta

// nearLeast is how long a match has to be that goes on where the last copy ended.
const nearLeast = 12

// diffExact cuts new into exact copies of old and literals, as suits text: what a copy leaves out is
// coded well as text.
func diffExact(old, new []byte, m matching, x *index) []segment {
	d := &differ{matching: m, x: x, old: old, new: new}
	for at := 0; at < len(new); {
		position, length := d.near(at)
		if length == 0 {
			position, length = x.find(new[at:], m.depth, d.from)
		}
		if length == 0 || length < m.least && position != d.from {
			at++
			continue
		}
		length += matchLength(old[position+length:], new[at+length:], len(new))
		back := matchBefore(old[:position], new[d.done:at], at-d.done)
		if at-back > d.done {
			d.emit(at-back-d.done, literal)
		}
		d.emit(back+length, position-back)
		at += length
		d.from, d.start = position+length, at
	}
	if d.done < len(new) {
		d.emit(len(new)-d.done, literal)
	}
	return d.out
}

// near looks where the last copy ended, and as far behind it as literals have come since.
func (d *differ) near(at int) (position, length int) {
	for _, p := range [2]int{d.from + at - d.start, d.from} {
		if p >= len(d.old) {
			continue
		}
		if n := matchLength(d.old[p:], d.new[at:], len(d.new)); n >= nearLeast && n > length {
			position, length = p, n
		}
	}
	return position, length
}
