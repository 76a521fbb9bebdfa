package program

import (
	"encoding/binary"
	"io"
)

// table reads numbers of the old file. It keeps some of its blocks.
type table struct {
	r      io.ReaderAt
	start  int64
	size   int64
	b      []byte // the block in hand
	at     int64  // where it begins, from start
	pad    int    // how much of the next block a block has, too
	block  int64  // bytes of a block without that
	blocks []tableBlock
	err    error
}

// tableBlock is a block in the slot that its number's low bits choose.
type tableBlock struct {
	number int64
	b      []byte // nothing of it is used where len(b) is 0
}

const (
	tableBlockSize = 16 << 10
	farBlockSize   = 4 << 10
	farBlocks      = 32
	tablePad       = 64 // more than any number, or what is read of a text at a time
)

// table returns one that is read in order.
func (p *Program) table(start, size int64) *table { return newTable(p.Old, start, size, tablePad) }

// newTable returns one that is read in order, of which pad bytes are at hand wherever there are as many.
func newTable(r io.ReaderAt, start, size int64, pad int) *table {
	return &table{r: r, start: start, size: size, pad: pad, block: tableBlockSize, blocks: make([]tableBlock, 1)}
}

// farTable returns one that is read here and there.
func (p *Program) farTable(start, size int64) *table {
	return &table{r: p.Old, start: start, size: size, pad: tablePad, block: farBlockSize, blocks: make([]tableBlock, farBlocks)}
}

// twin returns one that reads the same.
func (t *table) twin() *table {
	return &table{r: t.r, start: t.start, size: t.size, pad: t.pad, block: t.block, blocks: make([]tableBlock, len(t.blocks))}
}

// from returns what is at hand from an offset on: pad bytes or more, if the table does not end before.
func (t *table) from(at int64) []byte {
	if i := at - t.at; i >= 0 && i+int64(t.pad) <= int64(len(t.b)) {
		return t.b[i:]
	}
	if at < 0 || at >= t.size || !t.load(at/t.block) {
		return nil
	}
	return t.b[at-t.at:]
}

// load takes a block in hand.
func (t *table) load(number int64) bool {
	k := &t.blocks[number&int64(len(t.blocks)-1)]
	start := number * t.block
	if len(k.b) == 0 || k.number != number {
		if t.err != nil {
			return false
		}
		size := min(t.block+int64(t.pad), t.size-start)
		if int64(cap(k.b)) < size {
			k.b = make([]byte, size)
		}
		k.number, k.b = number, k.b[:size]
		if err := readOld(t.r, k.b, t.start+start); err != nil {
			t.err, t.b, k.b = err, nil, k.b[:0]
			return false
		}
	}
	t.at, t.b = start, k.b
	return true
}

// bytes returns n bytes at an offset, no more than pad; zeros where there are not as many.
func (t *table) bytes(at int64, n int) []byte {
	if i := at - t.at; i >= 0 && i+int64(n) <= int64(len(t.b)) {
		return t.b[i:][:n]
	}
	if b := t.from(at); len(b) >= n {
		return b[:n]
	}
	return make([]byte, n)
}

func (t *table) uint16(at int64) uint16 { return binary.LittleEndian.Uint16(t.bytes(at, 2)) }

func (t *table) uint32(at int64) uint32 {
	if i := at - t.at; i >= 0 && i+4 <= int64(len(t.b)) {
		return binary.LittleEndian.Uint32(t.b[i:])
	}
	return binary.LittleEndian.Uint32(t.bytes(at, 4))
}

func (t *table) uint64(at int64) uint64 {
	if i := at - t.at; i >= 0 && i+8 <= int64(len(t.b)) {
		return binary.LittleEndian.Uint64(t.b[i:])
	}
	return binary.LittleEndian.Uint64(t.bytes(at, 8))
}
