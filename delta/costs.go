package delta

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"sort"
	"strconv"

	"github.com/sallyport-dev/sallyport/delta/program"
)

// MemberCost is an entry of a tar and what of a patch it costs.
type MemberCost struct {
	Name  string // as the tar has it; "" for what is no entry
	Size  int64  // bytes of the content
	Bytes int64  // of the patch: of each coded stream the share that the entry wrote of its plain bytes
	Why   string // for people: "1,204 changed functions"
}

// maxMemberCosts is how many entries a result tells of.
const maxMemberCosts = 128

// costs charges entries with what their pieces write to streams. A nil one does nothing.
type costs struct {
	plain   io.ReaderAt
	members []member
	fresh   bool // there are no olds
	last    [streamCount]int64
	charges map[int]*charge // by member
}

// charge is what one entry wrote, and of what kind.
type charge struct {
	bytes     [streamCount]int64
	literal   int64 // bytes of content
	lines     int   // of literal text
	functions int
	corrected int64 // bytes of programs
	nested    bool
}

func newCosts(plain io.ReaderAt, members []member, fresh bool, streams []*streamBuilder) *costs {
	c := &costs{plain: plain, members: members, fresh: fresh, charges: map[int]*charge{}}
	for i, s := range streams {
		c.last[i] = s.plain
	}
	return c
}

// member returns which entry an offset lies in.
func (c *costs) member(at int64) int {
	return sort.Search(len(c.members), func(i int) bool { return c.members[i].next > at })
}

// charge gives the entry at an offset all that was written since the last call.
func (c *costs) charge(at int64, streams []*streamBuilder) *charge {
	if c == nil {
		return nil
	}
	i := c.member(at)
	x := c.charges[i]
	for id, s := range streams {
		n := s.plain - c.last[id]
		if n == 0 {
			continue
		}
		if x == nil {
			x = &charge{}
			c.charges[i] = x
		}
		x.bytes[id] += n
		c.last[id] = s.plain
	}
	return x
}

// piece charges a piece that was written at an offset.
func (c *costs) piece(at int64, p piece, streams []*streamBuilder) {
	x := c.charge(at, streams)
	if x == nil || p.header {
		return
	}
	switch {
	case p.program != nil:
		x.functions += p.program.changedFunctions(io.NewSectionReader(c.plain, at, p.length))
		x.corrected += p.program.changedBytes()
	case p.nested != nil:
		x.nested = p.nested.listing == nil
	case p.from < 0 && p.literal != opHeaders:
		x.literal += p.length
		if p.literal == opText {
			x.lines += max(1, c.lines(at, p.length))
		}
	}
}

// lines counts the line ends in n bytes from an offset.
func (c *costs) lines(at, n int64) int {
	lines, buf := 0, make([]byte, min(n, 64<<10))
	for n > 0 {
		b := buf[:min(n, int64(len(buf)))]
		if readAt(c.plain, b, at) != nil {
			break // who writes the patch has read them: they will fail there
		}
		lines += bytes.Count(b, []byte{'\n'})
		at, n = at+int64(len(b)), n-int64(len(b))
	}
	return lines
}

// list returns the dearest entries.
func (c *costs) list(streams []streamInfo) []MemberCost {
	var list []MemberCost
	for _, i := range c.sorted() {
		m, x := member{}, c.charges[i]
		if i < len(c.members) {
			m = c.members[i]
		}
		cost := MemberCost{Name: m.name, Size: m.size(), Why: c.why(m, x)}
		cost.Bytes += x.bytes[streamLiterals] + x.bytes[streamPrograms] // coded as they came
		for _, s := range streams {
			if s.id != streamLiterals && s.id != streamPrograms {
				cost.Bytes += share(s.coded, x.bytes[s.id], s.plain)
			}
		}
		list = append(list, cost)
	}
	slices.SortStableFunc(list, func(a, b MemberCost) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list[:min(len(list), maxMemberCosts)]
}

// sorted returns the charged members in their order.
func (c *costs) sorted() []int {
	order := make([]int, 0, len(c.charges))
	for i := range c.charges {
		order = append(order, i)
	}
	slices.Sort(order)
	return order
}

// share returns part/whole of n, on integers, so that it is the same on any machine.
func share(n, part, whole int64) int64 {
	if part <= 0 || part >= whole {
		return n * min(max(part, 0), 1)
	}
	high, low := bits.Mul64(uint64(n), uint64(part))
	q, _ := bits.Div64(high, low, uint64(whole))
	return int64(q)
}

// why says what about an entry costs.
func (c *costs) why(m member, x *charge) string {
	changed := x.bytes[streamText] + x.bytes[streamBinary] + x.bytes[streamValues]
	if changed == 0 {
		changed = x.corrected // by decisions, which are no bytes of these
	}
	switch {
	case c.fresh:
		return "no base"
	case x.functions > 0:
		return number(x.functions, "changed function")
	case x.nested:
		return "compressed inside"
	case m.size() > 0 && x.literal == m.size():
		return "new file"
	case x.lines > 0:
		return number(x.lines, "changed line")
	case changed > 0:
		return number(int(changed), "changed byte")
	}
	return "header"
}

// number writes a number with its noun: 1 changed byte, 1,204 changed functions.
func number(n int, noun string) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%s %s", digits, noun)
}

// changedBytes counts the bytes of a new program that do not come out of the old one as they are.
func (pp *programPiece) changedBytes() int64 {
	n := int64(len(pp.changed))
	for _, s := range pp.steps {
		if s.literal {
			n += s.size
		}
	}
	return n
}

// changedFunctions counts the functions of a new program that do not come out of the old one as they are.
func (pp *programPiece) changedFunctions(file io.ReaderAt) int {
	functions := program.Functions(file)
	next, count := 0, 0
	changed := func(from, to int64) {
		for next < len(functions) && functions[next].Offset+functions[next].Size <= from {
			next++
		}
		for next < len(functions) && functions[next].Offset < to {
			next, count = next+1, count+1
		}
	}
	rest := pp.changed
	for _, s := range pp.steps {
		if s.literal {
			changed(s.new, s.new+s.size)
		}
		for ; len(rest) > 0 && int64(rest[0]) < s.new+s.size; rest = rest[1:] {
			changed(int64(rest[0]), int64(rest[0])+1)
		}
	}
	return count
}
