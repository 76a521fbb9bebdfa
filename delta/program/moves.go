package program

import (
	"math/bits"
	"slices"
)

// exact holds where single addresses went, for looking them up.
type exact struct {
	list   []Anchor
	filter []uint64 // bits of the hashes of the addresses in list
	shift  uint     // of hashes
}

// A filter has at least filterRoom bits for each address, and 64 at least.
const (
	filterRoom = 16
	filterLow  = 6
	filterHigh = 20
)

func (e *exact) hash(address int64) uint64 { return uint64(address) * 0x9e3779b97f4a7c15 >> e.shift }

func (e *exact) find(old int64) (int64, bool) {
	h := e.hash(old)
	if h/64 >= uint64(len(e.filter)) || e.filter[h/64]>>(h%64)&1 == 0 {
		return 0, false
	}
	return e.lookUp(old)
}

func (e *exact) lookUp(old int64) (int64, bool) {
	n, ok := e.place(old)
	if !ok {
		return 0, false
	}
	return e.list[n].New, true
}

// place returns where an address is in the list, or would be.
func (e *exact) place(old int64) (int, bool) {
	n := upTo(e.list, old-1)
	return n, n < len(e.list) && e.list[n].Old == old
}

// upTo returns how many anchors there are at an address or before it. It is asked for references in the
// millions, where the calls that slices.BinarySearchFunc makes for each comparison show.
func upTo(list []Anchor, old int64) int {
	first, end := 0, len(list)
	for first < end {
		middle := int(uint(first+end) / 2)
		if list[middle].Old <= old {
			first = middle + 1
		} else {
			end = middle
		}
	}
	return first
}

// exactly looks up where moves start from. Spans and anchors have to be at hand.
func (p *Program) exactly(moves []Move) exact {
	if len(moves) == 0 {
		return exact{}
	}
	size := min(max(filterLow, bits.Len(uint(filterRoom*len(moves)-1))), filterHigh)
	e := exact{list: make([]Anchor, len(moves)), filter: make([]uint64, 1<<size/64), shift: uint(64 - size)}
	for i, m := range moves {
		from, ok := p.guess(m.Old)
		if !ok {
			from = m.Old
		}
		e.list[i] = Anchor{m.Old, from + m.By}
		h := e.hash(m.Old)
		e.filter[h/64] |= 1 << (h % 64)
	}
	return e
}

// learner counts where references in copied bytes really go.
type learner struct {
	new   []byte
	votes []Anchor // that contradict what was predicted, and all for memory that no file fills
	right []uint16 // by a hash of the old address: how often the prediction was right

	hints           []uint64 // offsets in the new file times 2^32, and in the old one, that references name alike
	seen, hits      []int    // entries of each jump table, and those that are predicted right
	loads, newLoads []Load
}

const rightBits = 20

func rightHash(address int64) uint64 { return uint64(address) * 0x9e3779b97f4a7c15 >> (64 - rightBits) }

// hintedSize is how large a new file may be for hints that spans give already: they take much memory.
const hintedSize = 32 << 20

// vote takes where a reference to an old address goes in the new file.
func (l *learner) vote(old, new int64, right bool) {
	at, ok := offset(l.loads, old)
	to, exists := offset(l.newLoads, new)
	if ok && exists && at >= 0 && to >= 0 && (!right || len(l.new) < hintedSize) {
		l.hints = append(l.hints, uint64(to)<<32|uint64(at))
	}
	switch {
	case !ok || !exists:
	case at < 0 || !right:
		l.votes = append(l.votes, Anchor{old, new})
	default:
		if n := &l.right[rightHash(old)]; *n < 1<<16-1 {
			*n++
		}
	}
}

// What an entry has to win, in references that it sets right.
const (
	moveWins   = 2
	anchorWins = 2
)

// Learn finds out from the references in new, the new file, which addresses spans and anchors do not
// predict well, and sets anchors and moves accordingly.
func (p *Program) Learn(new []byte) error {
	p.Moves, p.moved, p.shifts = nil, exact{}, shifts{}
	p.learn = &learner{new: new, seen: make([]int, len(p.Tables)), hits: make([]int, len(p.Tables)), right: make([]uint16, 1<<rightBits), loads: p.OldLoads, newLoads: p.NewLoads}
	defer func() { p.learn = nil }()
	for _, s := range p.Spans {
		if err := p.Copy(s.Old, s.New, s.Size, func([]byte) error { return nil }); err != nil {
			return err
		}
	}
	p.keepTables(p.learn)
	p.hint(p.learn.hints)
	p.learnLines(new)
	tally := p.learn.tally()
	p.learnAnchors(tally)
	for i := range tally {
		t := &tally[i]
		from, ok := p.guess(t.old)
		if !ok {
			from = t.old
		}
		if ok && from == t.new {
			continue
		}
		if at, _ := offset(p.OldLoads, t.old); at >= 0 {
			t.others += int(p.learn.right[rightHash(t.old)])
		}
		if t.votes-t.others >= moveWins && len(p.Moves) < MaxMoves {
			p.Moves = append(p.Moves, Move{t.old, t.new - from})
		}
	}
	p.moved, p.shifts = p.exactly(p.Moves), shifts{}
	if err := p.makeIndex(); err != nil {
		return err
	}
	return p.makeBuckets()
}

// count says how many references to an address go to the new one that most go to, and how many are
// known to go elsewhere.
type count struct {
	old, new int64
	votes    int
	others   int // that a move would break
}

func (l *learner) tally() []count {
	slices.SortFunc(l.votes, func(a, b Anchor) int {
		if a.Old != b.Old {
			return compare(a.Old, b.Old)
		}
		return compare(a.New, b.New)
	})
	var list []count
	for i := 0; i < len(l.votes); {
		n := i
		for n < len(l.votes) && l.votes[n] == l.votes[i] {
			n++
		}
		c := count{old: l.votes[i].Old, new: l.votes[i].New, votes: n - i}
		if k := len(list); k == 0 || list[k-1].old != c.old {
			list = append(list, c)
		} else if list[k-1].votes < c.votes {
			list[k-1] = c
		}
		i = n
	}
	return list
}

// learnAnchors makes anchors of how far addresses went that no file fills.
func (p *Program) learnAnchors(tally []count) {
	p.Anchors = p.Anchors[:0]
	shift, open := int64(0), false
	for i := 0; i < len(tally); {
		t := tally[i]
		if at, _ := offset(p.OldLoads, t.old); at >= 0 {
			i++
			continue
		}
		n, votes := i, 0
		for n < len(tally) && tally[n].new-tally[n].old == t.new-t.old {
			votes += tally[n].votes
			n++
		}
		if (!open || t.new-t.old != shift) && (n-i >= 2 || votes >= anchorWins) && len(p.Anchors) < MaxAnchors {
			shift, open = t.new-t.old, true
			p.Anchors = append(p.Anchors, Anchor{t.old, t.new})
		}
		i = n
	}
}

// Hint says that references name the same thing by an offset of the old file and one of the new.
type Hint struct {
	Old, New uint32
	Count    int32
}

func (p *Program) hint(packed []uint64) {
	slices.Sort(packed)
	p.Hints = p.Hints[:0]
	for i := 0; i < len(packed); {
		n := i
		for n < len(packed) && packed[n] == packed[i] {
			n++
		}
		p.Hints = append(p.Hints, Hint{uint32(packed[i]), uint32(packed[i] >> 32), int32(n - i)})
		i = n
	}
}
