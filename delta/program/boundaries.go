package program

// Mark says what begins at a byte of code.
type Mark byte

// Marks.
const (
	Starts      Mark = 1 << iota // an instruction
	Aimed                        // what a branch leads to
	AfterJump                    // what follows a jump or return
	AfterBranch                  // what follows a conditional branch
	AfterCall                    // what follows a call
	Taken                        // a byte that a copy has taken
	jumps                        // an instruction that jumps, maybe
	noMark      Mark = 0
	// Blocks are what code is moved about in.
	Blocks = Aimed | AfterJump | AfterBranch
)

// MaxBoundaries bounds the bytes of code whose boundaries are looked for.
const MaxBoundaries = 16 << 20

// Boundaries are where instructions of the old file's code begin, as told apart from its beginning on.
type Boundaries struct {
	From   int64 // offset in the file
	Marks  []Mark
	counts [2][]uint32 // of blocks and instructions, before each group of marks
	order  []uint32    // jumps before each group
	leads  []uint32    // where the jumps lead
}

// markGroup is how many marks are counted together.
const markGroup = 64

// boundariesPiece is how many bytes of code are looked through at a time.
const boundariesPiece = 8 << 10

// Boundaries finds the boundaries in the largest region of x86-64 code. There are none if that is too
// large.
func (p *Program) Boundaries() (*Boundaries, error) {
	var largest Region
	for _, r := range p.Regions {
		if (r.Kind == CodeAMD64 || r.Kind == CodeFixed) && r.Size > largest.Size && inside(r.Offset, r.Size, p.Size) {
			largest = r
		}
	}
	if largest.Size > MaxBoundaries {
		largest.Size = 0
	}
	b := &Boundaries{From: largest.Offset, Marks: make([]Mark, largest.Size)}
	t := p.table(largest.Offset, largest.Size)
	for at := int64(0); at < largest.Size && t.err == nil; {
		code := t.bytes(at, int(min(boundariesPiece, largest.Size-at)))
		last := at+int64(len(code)) == largest.Size
		for len(code) >= maxCommon || last && len(code) > 0 {
			n := min(b.instruction(at, code), int64(len(code)))
			at, code = at+n, code[n:]
		}
	}
	if t.err != nil {
		return nil, t.err
	}
	b.count()
	return b, nil
}

// instruction marks what an instruction tells, and returns its size.
func (b *Boundaries) instruction(at int64, code []byte) int64 {
	b.Marks[at] |= Starts
	in, ok := decode(code)
	if !ok {
		return 1
	}
	end := at + int64(in.size)
	mark, lead := noMark, int64(-1)
	switch {
	case in.immKind == branch8:
		mark, lead = AfterBranch, end+int64(int8(code[in.size-1]))
	case in.immKind == branch32:
		mark, lead = AfterBranch, end+word(code[in.size-4:])
	}
	switch c := code[0]; {
	case c == 0xe8:
		mark = AfterCall
	case c == 0xe9, c == 0xeb, c == 0xc3, c == 0xcc, c == 0xff && code[in.modrm]>>3&7 == 4:
		mark = AfterJump
	}
	if lead >= 0 && lead < int64(len(b.Marks)) {
		b.Marks[lead] |= Aimed
		if mark != AfterCall {
			b.Marks[at] |= jumps
			b.leads = append(b.leads, uint32(lead))
		}
	}
	if end < int64(len(b.Marks)) {
		b.Marks[end] |= mark
	}
	return end - at
}

// kindsOf are the marks that are counted.
var kindsOf = [2]Mark{Blocks, Starts}

// counted is what marks count for: blocks, instructions from bit 21 on, jumps from bit 42 on.
var counted = func() (t [256]uint64) {
	for m := range t {
		if Mark(m)&Blocks != 0 {
			t[m] = 1
		}
		t[m] |= uint64(Mark(m)&Starts)<<21 | uint64(Mark(m)&jumps)<<(42-6)
	}
	return t
}()

func (b *Boundaries) count() {
	var n [3]uint32
	groups := len(b.Marks)/markGroup + 1
	b.counts[0], b.counts[1], b.order = make([]uint32, groups), make([]uint32, groups), make([]uint32, groups)
	for i := range groups {
		b.counts[0][i], b.counts[1][i], b.order[i] = n[0], n[1], n[2]
		sum := uint64(0)
		for _, m := range b.Marks[i*markGroup : min((i+1)*markGroup, len(b.Marks))] {
			sum += counted[m]
		}
		n[0] += uint32(sum & (1<<21 - 1))
		n[1] += uint32(sum >> 21 & (1<<21 - 1))
		n[2] += uint32(sum >> 42)
	}
}

// Has tells whether an offset of the old file lies in the code.
func (b *Boundaries) Has(at int64) bool {
	return at >= b.From && at < b.From+int64(len(b.Marks))
}

// Mark returns the mark at an offset of the old file; none outside of the code.
func (b *Boundaries) Mark(at int64) Mark {
	if !b.Has(at) {
		return noMark
	}
	return b.Marks[at-b.From]
}

// Rank returns how many blocks (0) or instructions (1) begin before an offset in the code.
func (b *Boundaries) Rank(kind int, at int64) int64 {
	at -= b.From
	group := at / markGroup
	n := int64(b.counts[kind][group])
	for _, m := range b.Marks[group*markGroup : at] {
		if m&kindsOf[kind] != 0 {
			n++
		}
	}
	return n
}

// Find returns the offset that has a rank, and not ok if there is none.
func (b *Boundaries) Find(kind int, rank int64) (int64, bool) {
	low, high := 0, len(b.counts[kind]) // the group is in [low, high)
	for low+1 < high {
		if middle := (low + high) / 2; int64(b.counts[kind][middle]) <= rank {
			low = middle
		} else {
			high = middle
		}
	}
	n := int64(b.counts[kind][low])
	for i := low * markGroup; i < min(len(b.Marks), (low+1)*markGroup); i++ {
		if b.Marks[i]&kindsOf[kind] != 0 {
			if n == rank {
				return b.From + int64(i), true
			}
			n++
		}
	}
	return 0, false
}

// Take marks bytes of the old file as taken, and appends to leads where the jumps among them lead.
func (b *Boundaries) Take(at, size int64, leads []int64) []int64 {
	from, to := max(at-b.From, 0), min(at+size-b.From, int64(len(b.Marks)))
	if from >= to {
		return leads
	}
	next := b.order[from/markGroup]
	for _, m := range b.Marks[from/markGroup*markGroup : from] {
		next += uint32(m&jumps) / uint32(jumps)
	}
	for i := from; i < to; i++ {
		if b.Marks[i]&jumps != 0 {
			leads = append(leads, b.From+int64(b.leads[next]))
			next++
		}
		b.Marks[i] |= Taken
	}
	return leads
}
