package delta

import (
	"bytes"
	"context"
	"io"
)

// piece makes the next length plain bytes.
type piece struct {
	length  int64
	from    int64 // address among all olds; negative: literal
	literal opKind
	header  bool      // a tar header
	rule    stampRule // that makes a header out of the old one
	restamp bool      // rule is to be used
	program *programPiece
	nested  *nestedPiece
	whole   bool // the whole content of an entry, or its padding, and just as it was
}

// planner says which bytes of the olds make the new plain bytes.
type planner struct {
	ctx      context.Context
	c        *catalogue
	plain    io.ReaderAt
	members  []member
	ids      []contentID
	rules    []stampRule
	changed  map[int][]piece // the contents that no old has
	effort   Effort
	workers  int
	listings map[int64]*listing // that are new, by where their contents begin
	digested []int64            // entries whose digests those need, as a patch has them
	plainly  bool               // all files are bytes: no programs, and nothing in them is expanded
	pieces   []piece
	last     int // old member that was used last
}

// Bounds of the bytes of one file that are in memory.
const (
	loadLimit  = 144 << 20 // of a file as a whole, expanded or not
	windowSize = 64 << 20  // of a larger one: each window is matched by itself
)

func (p *planner) run() error {
	matches := make([]int, len(p.members))
	for i := range p.members {
		matches[i] = p.match(i)
	}
	if err := p.findRules(matches); err != nil {
		return err
	}
	if !p.plainly {
		if err := p.findListings(matches); err != nil {
			return err
		}
	}
	if err := p.changedContents(matches); err != nil {
		return err
	}
	for i := range p.members {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if err := p.member(i, matches[i]); err != nil {
			return err
		}
	}
	return nil
}

// match returns the old member whose headers and content are nearest to those of member i: of the
// same path, else of the same content, else of the same path but for versions; or -1.
func (p *planner) match(i int) int {
	m, id := p.members[i], p.ids[i]
	same := p.c.byContent[id]
	if list := p.c.byPath[m.name]; len(list) > 0 {
		best := p.nearest(list)
		for _, n := range list {
			if contains(same, n) {
				best = n
				break
			}
		}
		p.last = best
		return best
	}
	for _, list := range [][]int{same, p.c.byAlias[alias(m.name)]} {
		if len(list) > 0 && m.size() > 0 {
			p.last = p.nearest(list)
			return p.last
		}
	}
	return -1
}

func contains(list []int, n int) bool {
	for _, v := range list {
		if v == n {
			return true
		}
	}
	return false
}

// nearest returns the member of list that comes soonest after the one used last.
func (p *planner) nearest(list []int) int {
	for _, n := range list {
		if n > p.last {
			return n
		}
	}
	return list[len(list)-1]
}

// member plans one member: headers, content, padding.
func (p *planner) member(i, match int) error {
	m := p.members[i]
	if match >= 0 {
		if err := p.headers(m, p.c.members[match]); err != nil {
			return err
		}
	} else {
		p.add(piece{length: m.content - m.start, from: literal, literal: opHeaders, header: true})
	}
	p.content(i, match)
	return p.padding(m, match)
}

// padding plans what follows the content, zeros as a rule.
func (p *planner) padding(m member, match int) error {
	n := m.next - m.end
	if match >= 0 && n > 0 {
		old := p.c.members[match]
		now, then := make([]byte, n), make([]byte, n)
		if old.next-old.end == n {
			if err := p.readBoth(now, m.end, then, p.c.address(old, old.end)); err != nil {
				return err
			}
			if bytes.Equal(now, then) {
				p.add(piece{length: n, from: p.c.address(old, old.end), whole: true})
				return nil
			}
		}
	}
	p.add(piece{length: n, from: literal, literal: opHeaders})
	return nil
}

func (p *planner) headers(m member, old oldMember) error {
	length := m.content - m.start
	h := piece{length: length, from: literal, literal: opHeaders, header: true}
	if length != old.content-old.start || length > maxPax {
		p.add(h)
		return nil
	}
	now, then := make([]byte, length), make([]byte, length)
	if err := p.readBoth(now, m.start, then, p.c.address(old, old.start)); err != nil {
		return err
	}
	h.from = p.c.address(old, old.start)
	if !bytes.Equal(now, then) {
		h.rule, h.restamp = p.ruleFor(now, then)
	}
	p.add(h)
	return nil
}

func (p *planner) readBoth(now []byte, at int64, then []byte, address int64) error {
	if err := readAt(p.plain, now, at); err != nil {
		return err
	}
	return p.c.src.read(then, address)
}

func (p *planner) content(i, match int) {
	if list, ok := p.changed[i]; ok {
		p.pieces = append(p.pieces, list...)
		return
	}
	if same := p.c.byContent[p.ids[i]]; len(same) > 0 {
		n := same[0]
		if contains(same, match) {
			n = match
		}
		old := p.c.members[n]
		p.add(piece{length: old.size(), from: p.c.address(old, old.content), whole: true})
	}
}

func (p *planner) add(next piece) {
	if next.length > 0 {
		p.pieces = append(p.pieces, next)
	}
}
