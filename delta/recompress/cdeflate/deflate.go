package cdeflate

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// Sizes of zlib's and gzip's window.
const (
	minMatch     = 3
	maxMatch     = 258
	windowSize   = 1 << 15
	windowMask   = windowSize - 1
	minLookahead = maxMatch + minMatch + 1
	maxDist      = windowSize - minLookahead
	tooFar       = 4096
	hashBits     = 15
	hashMask     = 1<<hashBits - 1
	hashShift    = (hashBits + minMatch - 1) / minMatch
)

// Flavor is the program that is followed.
type Flavor int

// The programs.
const (
	Zlib Flavor = iota
	GNU         // gzip
)

// symbols is how many literals and matches a block holds at most: one less than the buffer.
func (f Flavor) symbols() int {
	if f == GNU {
		return 1<<15 - 1
	}
	return 1<<14 - 1
}

// effort is a level's parameters.
type effort struct {
	good, lazy, nice, chain int
	fast                    bool
}

var efforts = [10]effort{
	1: {4, 4, 8, 4, true},
	2: {4, 5, 16, 8, true},
	3: {4, 6, 32, 32, true},
	4: {4, 4, 16, 16, false},
	5: {8, 16, 32, 32, false},
	6: {8, 16, 128, 128, false},
	7: {8, 32, 128, 256, false},
	8: {32, 128, 258, 1024, false},
	9: {32, 258, 258, 4096, false},
}

// symbol is a literal, or a match's length less 3, in its low 8 bits, and in the next 16 its distance, which is 0 for
// a literal. When it has been counted the code of the distance is above them.
type symbol uint32

func (s symbol) length() uint8 { return uint8(s) }
func (s symbol) dist() uint32  { return uint32(s) >> 8 & 0xffff }
func (s symbol) code() uint8   { return uint8(s >> 24) }

// deflater is the state of one stream.
type deflater struct {
	effort
	flavor Flavor
	level  int
	w      io.Writer
	bits   bitWriter
	trees  *huffman
	input  []byte // not yet in the window
	final  bool   // no input follows

	window     [2*windowSize + maxMatch + minMatch]byte
	links      links                 // of strings, by where they begin
	three      [1 << hashBits]uint32 // by a hash, where the last string with it begins: base and its place in the window
	deep       *deepTables           // nil: its level does not look far
	base       uint32
	next       int // the first string that is not in the tables yet
	start      int // of the string in hand
	lookahead  int
	blockStart int

	length, matchStart    int
	prevLength, prevMatch int
	available             bool // the previous byte awaits its verdict

	symbols [1 << 15]symbol // of the block
	count   int             // of symbols
	counted int             // of them, those that are among the trees' frequencies
	look    int             // at which count to look whether the block is full
	matches int             // among the counted ones

	replay player
}

func newDeflater(w io.Writer, flavor Flavor, level int) (*deflater, error) {
	if level < 1 || level > 9 {
		return nil, fmt.Errorf("cdeflate: level %d", level)
	}
	d := &deflater{w: w, flavor: flavor, level: level, effort: efforts[level], trees: newHuffman()}
	if !d.fast && d.chain >= deepChain {
		d.deep = &deepTables{}
	}
	d.reset()
	return d, nil
}

// reset begins a stream.
func (d *deflater) reset() {
	d.forget()
	d.start, d.lookahead, d.blockStart = 0, 0, 0
	d.length, d.prevLength, d.available = minMatch-1, minMatch-1, false
	d.matchStart, d.prevMatch = 0, 0
	d.final = false
	d.beginBlock()
}

func (d *deflater) beginBlock() {
	d.count, d.counted, d.matches = 0, 0, 0
	d.look = d.flavor.symbols()
	if d.guesses() {
		d.look = guessEvery
	}
	d.trees.begin()
}

// fill moves input into the window, sliding it when its upper half is used up.
func (d *deflater) fill() {
	for {
		if d.start >= windowSize+maxDist {
			d.slide()
		}
		if len(d.input) == 0 {
			if d.final && d.flavor == GNU {
				clear(d.window[d.start+d.lookahead:][:minMatch-1])
			}
			return
		}
		n := copy(d.window[d.start+d.lookahead:2*windowSize], d.input)
		d.input = d.input[n:]
		d.lookahead += n
		if d.lookahead >= minLookahead || len(d.input) == 0 {
			return
		}
	}
}

func (d *deflater) slide() {
	copy(d.window[:windowSize], d.window[windowSize:2*windowSize])
	d.matchStart -= windowSize
	d.start -= windowSize
	d.blockStart -= windowSize
	d.replay.base += windowSize
	d.next -= windowSize
	d.moveBase(windowSize)
}

// longest returns the length of the best match with the string at start, from candidate on; where it
// begins is matchStart.
func (d *deflater) longest(candidate int) int {
	chain, nice, best := d.chain, d.nice, d.prevLength
	limit := max(d.start-maxDist, 0)
	if best >= d.good {
		chain >>= 2
	}
	if d.flavor == Zlib {
		nice = min(nice, d.lookahead)
	}
	w := d.window[:]
	scan := w[d.start : d.start+maxMatch : d.start+maxMatch]
	// Almost every candidate fails at the bytes up to the first one that would make it the best.
	first := binary.LittleEndian.Uint16(scan)
	last := binary.LittleEndian.Uint16(scan[best-1:])
	for {
		if binary.LittleEndian.Uint16(w[candidate+best-1:]) == last && binary.LittleEndian.Uint16(w[candidate:]) == first {
			if n := same(w[candidate:candidate+maxMatch], scan); n > best {
				d.matchStart, best = candidate, n
				if n >= nice || best >= maxMatch {
					break
				}
				last = binary.LittleEndian.Uint16(scan[best-1:])
			}
		}
		candidate -= int(d.links.three[candidate&windowMask])
		chain--
		if candidate <= limit || chain == 0 {
			break
		}
	}
	return min(best, d.lookahead)
}

// same returns how many bytes two strings have in common, maxMatch at most.
func same(a, b []byte) int {
	a, b = a[:maxMatch], b[:maxMatch]
	n := 0
	for ; n+8 <= maxMatch; n += 8 {
		if d := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); d != 0 {
			return n + bits.TrailingZeros64(d)/8
		}
	}
	for n < maxMatch && a[n] == b[n] {
		n++
	}
	return n
}

// tally adds a symbol and tells whether the block is full.
func (d *deflater) tally(dist, length int) bool {
	d.symbols[d.count&(len(d.symbols)-1)] = symbol(dist<<8 | length)
	d.count++
	return d.count == d.look && d.full()
}

// guessEvery is after how many symbols gzip guesses.
const guessEvery = 1 << 12

// guesses tells whether the program ends blocks early.
func (d *deflater) guesses() bool { return d.flavor == GNU && d.level > 2 }

// full tells whether a block ends at the count at which to look.
func (d *deflater) full() bool {
	if d.look == d.flavor.symbols() {
		return true
	}
	d.countSymbols()
	d.look = min(d.look+guessEvery, d.flavor.symbols())
	return d.shrinksWell()
}

// countSymbols adds to the trees' frequencies.
func (d *deflater) countSymbols() {
	var literal [litCodes]uint32
	var dist [distCodes]uint32
	list := d.symbols[d.counted:d.count]
	for i, s := range list {
		if s.dist() == 0 {
			literal[s.length()]++
			continue
		}
		code := fixed.dCode(int(s.dist()) - 1)
		literal[int(fixed.lengthCode[s.length()])+literals+1]++
		dist[code]++
		list[i] |= symbol(code) << 24
	}
	for code, n := range literal {
		d.trees.literal.nodes[code].freq += n
	}
	for code, n := range dist {
		d.trees.dist.nodes[code].freq += n
		d.matches += int(n)
	}
	d.counted = d.count
}

// shrinksWell is gzip's guess whether to end a block early.
func (d *deflater) shrinksWell() bool {
	out := d.count * 8
	for code := range distCodes {
		out += int(d.trees.dist.nodes[code].freq) * (5 + int(extraDist[code]))
	}
	return d.matches < d.count/2 && out>>3 < (d.start-d.blockStart)/2
}
