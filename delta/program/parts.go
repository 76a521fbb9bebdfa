package program

import "io"

// PartSize divides copies: a part ends where the new file has a multiple of so many bytes, or where the copy ends. Parts are
// projected by themselves, so that several cores can work on a copy.
const PartSize = 64 << 10

// Part is a part of a copy, projected.
type Part struct {
	Old, New int64  // where it begins in the files
	Bytes    []byte // to be corrected in place
	Raw      []byte // the old ones
	buf, raw []byte // both with what stands around them
	lead     int    // bytes in front of it, of the region that it begins in
	over     int    // bytes behind it that its references have changed
	// starts has a bit for each of Bytes, the lowest first: whether an instruction of x86-64 begins there, or a byte that
	// begins none.
	starts []uint64
}

// A part is looked at with so many bytes around it at most: as far as a reference reaches.
const around = 4 * (reach + 1)

// partRoom is how many bytes a part takes at most in each of its buffers.
const partRoom = PartSize + MaxInstruction + 2*around

// extent says where a part lies and what is read with it.
type extent struct {
	old, new   int64
	size       int
	lead, tail int
}

// cutter cuts spans into parts.
type cutter struct {
	p     *Program
	spans []Span
	done  int64 // bytes of the first of spans
	lead  int   // bytes that the next part is to have in front of it
	code  [around + MaxInstruction]byte
}

// next returns the next part; one of no bytes comes behind the last one.
func (c *cutter) next() (x extent, err error) {
	for len(c.spans) > 0 && c.spans[0].Size <= 0 {
		c.spans = c.spans[1:]
	}
	if len(c.spans) == 0 {
		return x, nil
	}
	s := c.spans[0]
	x = extent{old: s.Old + c.done, new: s.New + c.done, lead: c.lead}
	end := min(s.New+s.Size, x.new&^(PartSize-1)+PartSize)
	if end < s.New+s.Size {
		if end, c.lead, err = c.border(s, end); err != nil {
			return x, err
		}
	}
	x.size = int(end - x.new)
	if c.done += int64(x.size); c.done == s.Size {
		c.spans, c.done, c.lead = c.spans[1:], 0, 0
	} else if !c.p.amd64At(x.old + int64(x.size)) {
		x.tail = int(min(around, s.Size-c.done))
	}
	return x, nil
}

// border moves a part's end, an offset of the new file, to where an instruction of x86-64 begins, and returns how many bytes before it
// the next part has to see.
func (c *cutter) border(s Span, end int64) (int64, int, error) {
	at := s.Old + end - s.New
	r, stop := c.p.regionAt(at)
	if r == nil {
		return end, 0, nil
	}
	from := max(at-around, r.Offset, s.Old)
	switch r.Kind {
	default:
		return end, 0, nil
	case CodeARM64:
		return end, int(at - from), nil
	case CodeAMD64, CodeFixed:
	}
	code := c.code[:min(at+MaxInstruction, stop, s.Old+s.Size)-from]
	if err := readOld(c.p.Old, code, from); err != nil {
		return 0, 0, err
	}
	n := from
	for n < at {
		n += int64(lengthAt(code[n-from:]))
	}
	return s.New + min(n, stop, s.Old+s.Size) - s.Old, 0, nil
}

// lengthAt returns how long the instruction is that code begins with; what is none counts as one of a byte.
func lengthAt(code []byte) int {
	if in, ok := decode(code); ok {
		return in.size
	}
	return 1
}

// readOld fills b from an offset of the old file, which may not end before.
func readOld(r io.ReaderAt, b []byte, at int64) error {
	if n, err := r.ReadAt(b, at); n < len(b) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// amd64At tells whether an offset of the old file lies in code of x86-64.
func (p *Program) amd64At(at int64) bool {
	r, _ := p.regionAt(at)
	return r != nil && r.amd64()
}

func (r *Region) amd64() bool { return r.Kind == CodeAMD64 || r.Kind == CodeFixed }

// project reads a part and replaces its references.
func (p *Program) project(t *Part) error {
	if err := readOld(p.Old, t.raw, t.Old-int64(t.lead)); err != nil {
		return err
	}
	copy(t.buf, t.raw)
	clear(t.starts)
	p.lows = p.lows[:0]
	p.lines.begin(int64(len(t.Bytes)))
	done := 0
	for done < len(t.Bytes) {
		r, end := p.regionAt(t.Old + int64(done))
		if r == nil {
			done += int(min(end-t.Old-int64(done), int64(len(t.Bytes)-done)))
			continue
		}
		w := p.window(t, done, r, end)
		done += max(1, p.projectRegion(r, w)-w.skip)
	}
	t.over = done - len(t.Bytes)
	return p.lines.err()
}

// window is the stretch of a part that lies in one region.
type window struct {
	b        []byte // the old bytes, projected in place
	skip     int    // how many of them lie before the part
	n        int    // references that begin in b[skip:n] are projected
	old, new int64  // where b begins in the files
	from, to int64  // and in memory
	mapped   bool   // both places are in memory
	starts   []uint64
	first    int // number of b[0] in starts
}

// window returns the stretch from byte done of a part on, which lies in a region up to end.
func (p *Program) window(t *Part, done int, r *Region, end int64) *window {
	w := &window{b: t.buf[t.lead+done:], starts: t.starts, first: done, n: len(t.Bytes) - done}
	if done == 0 && r.Kind == CodeARM64 {
		w.skip = t.lead
		w.b, w.n = t.buf, w.n+w.skip
	}
	w.old, w.new = t.Old+int64(done-w.skip), t.New+int64(done-w.skip)
	w.b = w.b[:min(int64(len(w.b)), end-w.old)]
	w.n = min(w.n, len(w.b))
	p.place(w)
	return w
}

// place finds out where a window is in memory.
func (p *Program) place(w *window) {
	var ok, moves bool
	w.from, ok = address(p.OldLoads, w.old)
	w.to, moves = address(p.NewLoads, w.new)
	w.mapped = ok && moves
}

// projectRegion replaces the references of a window and returns how many of its bytes are done: at least those that it is to
// project, and those of references that go beyond.
func (p *Program) projectRegion(r *Region, w *window) int {
	if !w.mapped {
		return w.n
	}
	switch r.Kind {
	case CodeAMD64, CodeFixed:
		p.amd64(r, w)
		return w.n
	case CodeARM64:
		return p.arm64(r, w)
	case EHIndex:
		return p.projectIndex(r, w)
	case JumpTables:
		return p.jumpTables(w)
	case GoBuckets:
		return p.projectBuckets(r, w)
	case Pointers:
		w.n = wholeWords(w.n, len(w.b), w.from)
		p.pointers(w)
	case GoTypes:
		w.n = wholeWords(w.n, len(w.b), w.from)
		p.goPointers(w)
	}
	return p.projectLines(w, p.projectGroups(w, p.tables(w)))
}

// wholeWords returns where the word ends that byte n of b cuts.
func wholeWords(n, size int, from int64) int {
	return min(size, n+int(-(from+int64(n))&7))
}
