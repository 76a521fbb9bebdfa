package program

import (
	"encoding/binary"
	"math/bits"
)

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
	Size   int64
	marks  []byte      // and zeros up to whole words behind whole groups
	counts [2][]uint32 // of blocks and instructions, before each group of marks
	order  []uint32    // jumps before each group
	leads  []uint32    // where the jumps lead
}

// markGroup is how many marks are counted together, and markWord how many are looked at together.
const (
	markGroup = 64
	markWord  = 8
)

// everyMark has 1 for each mark of a word.
const everyMark = 0x0101010101010101

// boundariesPiece is how many bytes of code are looked through at a time.
const boundariesPiece = 64 << 10

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
	groups := largest.Size/markGroup + 1
	b := &Boundaries{From: largest.Offset, Size: largest.Size, marks: make([]byte, groups*markGroup+markWord)}
	buf := make([]byte, min(boundariesPiece, largest.Size))
	for at := int64(0); at < largest.Size; {
		code := buf[:min(boundariesPiece, largest.Size-at)]
		if err := readOld(p.Old, code, largest.Offset+at); err != nil {
			return nil, err
		}
		at += b.look(at, code)
	}
	b.count(int(groups))
	return b, nil
}

// look marks what the instructions of a piece of code tell, and returns how many bytes of it they have: those that
// may go on behind the piece are left, if there is more.
func (b *Boundaries) look(at int64, code []byte) int64 {
	i := int64(0)
	for ; int64(len(code))-i >= maxCommon; i += b.instruction(at+i, code[i:]) {
	}
	if at+int64(len(code)) < b.Size {
		return i
	}
	for i < int64(len(code)) {
		i += b.instruction(at+i, code[i:])
	}
	return int64(len(code))
}

// instruction marks what an instruction tells, and returns its size.
func (b *Boundaries) instruction(at int64, code []byte) int64 {
	b.marks[at] |= byte(Starts)
	if len(code) >= maxCommon {
		if v := quick((*[maxCommon]byte)(code)); v&(quickRefers|quickSlow) == 0 {
			if c := code[0]; c == 0xc3 || c == 0xcc || c == 0xff && code[1]>>3&7 == 4 {
				b.mark(at+int64(v&quickSize), AfterJump)
			}
			return int64(v & quickSize)
		}
	}
	in, ok := decode(code)
	if !ok {
		return 1
	}
	b.branch(at, code, in)
	return int64(in.size)
}

// branch marks what an instruction tells that may be a branch.
func (b *Boundaries) branch(at int64, code []byte, in instruction) {
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
	if lead >= 0 && lead < b.Size {
		b.mark(lead, Aimed)
		if mark != AfterCall {
			b.mark(at, jumps)
			b.leads = append(b.leads, uint32(lead))
		}
	}
	b.mark(end, mark)
}

func (b *Boundaries) mark(at int64, m Mark) {
	if at < b.Size {
		b.marks[at] |= byte(m)
	}
}

// word returns the marks from one on, the first lowest.
func (b *Boundaries) word(at int) uint64 { return binary.LittleEndian.Uint64(b.marks[at:]) }

// Kinds of what is counted.
const (
	Block       = iota // has a mark of Blocks
	Instruction        // has Starts
)

// counted has a bit for each mark of a word that is of a kind.
func counted(kind int, marks uint64) uint64 {
	if kind == Block {
		return ((marks & (uint64(Blocks) * everyMark)) + 0x7f*everyMark) & (0x80 * everyMark)
	}
	return marks & (uint64(Starts) * everyMark)
}

func jumping(marks uint64) int { return bits.OnesCount64(marks & (uint64(jumps) * everyMark)) }

func (b *Boundaries) count(groups int) {
	b.counts[0], b.counts[1], b.order = make([]uint32, groups), make([]uint32, groups), make([]uint32, groups)
	var blocks, starts, jumps int
	for i := range groups {
		b.counts[Block][i], b.counts[Instruction][i], b.order[i] = uint32(blocks), uint32(starts), uint32(jumps)
		for at := i * markGroup; at < (i+1)*markGroup; at += markWord {
			w := b.word(at)
			blocks += bits.OnesCount64(counted(Block, w))
			starts += bits.OnesCount64(counted(Instruction, w))
			jumps += jumping(w)
		}
	}
}

// Has tells whether an offset of the old file lies in the code.
func (b *Boundaries) Has(at int64) bool { return uint64(at-b.From) < uint64(b.Size) }

// Mark returns the mark at an offset of the old file; none outside of the code.
func (b *Boundaries) Mark(at int64) Mark {
	if !b.Has(at) {
		return noMark
	}
	return Mark(b.marks[at-b.From])
}

// Next returns the first offset from one on that begins an instruction or a block, or lies outside of the code, and
// its mark.
func (b *Boundaries) Next(at int64) (int64, Mark) {
	if !b.Has(at) {
		return at, noMark
	}
	for at -= b.From; at < b.Size; at += markWord {
		if w := b.word(int(at)) & (uint64(Blocks|Starts) * everyMark); w != 0 {
			at += int64(bits.TrailingZeros64(w) / 8)
			return b.From + at, Mark(b.marks[at])
		}
	}
	return b.From + b.Size, noMark
}

// before has the marks of a word that are before n, of 8.
func before(w uint64, n int) uint64 { return w & (1<<(8*n) - 1) }

// Rank returns how many of a kind begin before an offset in the code.
func (b *Boundaries) Rank(kind int, at int64) int64 {
	to := int(at - b.From)
	i := to / markGroup * markGroup
	n := int(b.counts[kind][to/markGroup])
	for ; i+markWord <= to; i += markWord {
		n += bits.OnesCount64(counted(kind, b.word(i)))
	}
	return int64(n + bits.OnesCount64(before(counted(kind, b.word(i)), to-i)))
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
	if low >= high {
		return 0, false
	}
	left := rank - int64(b.counts[kind][low])
	for i := low * markGroup; i < (low+1)*markGroup && left >= 0; i += markWord {
		w := counted(kind, b.word(i))
		if n := int64(bits.OnesCount64(w)); left >= n {
			left -= n
			continue
		}
		for ; left > 0; left-- {
			w &= w - 1
		}
		return b.From + int64(i+bits.TrailingZeros64(w)/8), true
	}
	return 0, false
}

// Take marks bytes of the old file as taken, and appends to leads where the jumps among them lead.
func (b *Boundaries) Take(at, size int64, leads []int64) []int64 {
	from, to := int(max(at-b.From, 0)), int(min(at+size-b.From, b.Size))
	if from >= to {
		return leads
	}
	i := from / markGroup * markGroup
	next := int(b.order[from/markGroup])
	for ; i+markWord <= from; i += markWord {
		next += jumping(b.word(i))
	}
	next += jumping(before(b.word(i), from-i))
	for ; i < to; i += markWord {
		w := b.word(i)
		taken := ^uint64(0)
		if i < from {
			taken &^= before(taken, from-i)
		}
		if to-i < markWord {
			taken = before(taken, to-i)
		}
		for range jumping(w & taken) {
			leads = append(leads, b.From+int64(b.leads[next]))
			next++
		}
		binary.LittleEndian.PutUint64(b.marks[i:], w|taken&(uint64(Taken)*everyMark))
	}
	return leads
}
