package replay

import (
	"encoding/binary"
	"sort"
)

// cursor walks over a log's records.
type cursor struct {
	log   *Log
	buf   []byte // records, from next on
	next  int64  // the record at which buf begins
	plain int64  // where that record's bytes begin
	last  int64  // where those of the record before it do
	clean bool   // the record before it is a match
}

const cursorBuffer = 16 << 10 // bytes of records that are read at once

// seek goes to the record whose bytes begin at a place, and tells whether there is one.
func (c *cursor) seek(at int64) bool {
	if at < c.last || at-c.plain > farSeek {
		c.jump(at)
	}
	for c.plain < at {
		r, ok := c.peek(0)
		if !ok {
			return false
		}
		c.take(r)
	}
	return c.plain == at
}

const farSeek = 1 << 20 // plain bytes from which on a mark is looked for

// jump goes to the last mark that is not behind at, unless the cursor is between the two.
func (c *cursor) jump(at int64) {
	marks := c.log.marks
	i := sort.Search(len(marks), func(i int) bool { return marks[i].plain > at })
	if i == 0 || at >= c.last && marks[i-1].record <= c.next {
		return
	}
	m := marks[i-1]
	c.next, c.plain, c.last, c.buf, c.clean = m.record, m.plain, m.plain, c.buf[:0], false
}

// peek returns the record that is n after the next one, which is at most longestRun.
func (c *cursor) peek(n int) (record, bool) {
	at := n * recordSize
	if at+recordSize > len(c.buf) && !c.fill(at+recordSize) {
		return 0, false
	}
	return record(binary.LittleEndian.Uint32(c.buf[at:])), true
}

// take goes past the next record, which is r.
func (c *cursor) take(r record) {
	c.buf = c.buf[recordSize:]
	c.next++
	c.last = c.plain
	c.plain += int64(r.plain())
	c.clean = r.literals() != noMatch
}

// fill reads until buf has n bytes.
func (c *cursor) fill(n int) bool {
	size := min(cursorBuffer, (c.log.Size() - c.next*recordSize))
	if int64(n) > size {
		return false
	}
	if cap(c.buf) < cursorBuffer {
		c.buf = make([]byte, cursorBuffer)
	}
	c.buf = c.buf[:size]
	got, _ := c.log.store.ReadAt(c.buf, c.next*recordSize)
	c.buf = c.buf[:got/recordSize*recordSize]
	return n <= len(c.buf)
}

// longestRun is how many records of literals are looked at to find the match after them.
const longestRun = 4

// token is a match and the literals before it.
type token struct {
	literals, length, distance int
}

// run returns the next match with the literals before it, and how many records that takes; 0 is none:
// a stored block or the stream's end comes first, or very many literals.
func (c *cursor) run() (t token, records int) {
	for n := range longestRun {
		r, ok := c.peek(n)
		if !ok {
			return t, 0
		}
		if r.literals() != noMatch {
			t.literals += r.literals()
			t.length, t.distance = r.length(), r.distance()
			return t, n + 1
		}
		if r>>16&0xff != runLiterals {
			return t, 0
		}
		t.literals += r.plain()
	}
	return t, 0
}

// Agrees tells whether l begins as own does, which is about the first n bytes of the same plain bytes.
// The end of own may differ, because its encoder saw nothing behind it.
func (l *Log) Agrees(own *Log, n int64) bool {
	a, b := &cursor{log: l}, &cursor{log: own}
	for {
		x, inOwn := b.peek(0)
		if !inOwn || b.plain+int64(x.plain())+ahead > n {
			return true
		}
		if y, ok := a.peek(0); !ok || x != y {
			return false
		}
		a.take(x)
		b.take(x)
	}
}
