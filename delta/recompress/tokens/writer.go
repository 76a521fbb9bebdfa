package tokens

import (
	"errors"
	"io"
)

// Writer makes a DEFLATE stream out of its plain bytes and differences.
type Writer struct {
	d     *model
	w     io.Writer
	out   bitWriter
	block Block
	left  int  // of the block: tokens, or plain bytes of a stored one
	open  bool // a block has begun
}

// codes are an alphabet's codes and their lengths.
type codes struct {
	codes   []uint16
	lengths []uint8
}

var errDifferences = errors.New("tokens: malformed differences")

// NewWriter returns a writer that takes plain bytes, of which there are size, and writes the stream to
// w. Close must be called after the last plain byte.
func NewWriter(w io.Writer, differences []byte, model int, size int64) (*Writer, error) {
	if model < 0 || model >= len(models) {
		return nil, errDifferences
	}
	return &Writer{w: w, d: newModel(models[model], newReader(differences), size)}, nil
}

// Write takes the next plain bytes.
func (w *Writer) Write(p []byte) (int, error) {
	taken := 0
	for taken < len(p) {
		n := min(len(p)-taken, readSize)
		d := w.d
		if int64(n) > d.end-d.base-int64(len(d.buf)) {
			return taken, errors.New("tokens: more plain bytes than there should be")
		}
		d.settle()
		d.buf = append(d.buf, p[taken:taken+n]...)
		taken += n
		if err := w.run(); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// Close ends the stream. It does not close the writer below.
func (w *Writer) Close() error {
	if w.d.base+int64(len(w.d.buf)) != w.d.end {
		return errors.New("tokens: fewer plain bytes than there should be")
	}
	if err := w.run(); err != nil {
		return err
	}
	if w.open || !w.block.Final || len(w.d.bytes) > 0 || w.d.pos != w.d.end {
		return errDifferences
	}
	w.out.align()
	return w.out.flush(w.w)
}

// ready tells whether enough plain bytes are in the buffer.
func (w *Writer) ready() bool {
	return w.d.base+int64(len(w.d.buf)) >= min(w.d.end, w.d.pos+lookahead)
}

// run makes blocks out of the plain bytes so far.
func (w *Writer) run() error {
	for w.ready() && (w.open || !w.block.Final) {
		if !w.open {
			if err := w.begin(); err != nil {
				return err
			}
		}
		w.step()
		if w.d.short {
			return errDifferences
		}
		if w.left == 0 {
			if err := w.end(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer) begin() error {
	b := &w.block
	b.Tokens = b.Tokens[:0]
	w.left = w.d.begin(b, 0)
	w.open = true
	most := MaxBlock
	if b.Type == typeStored {
		most = 1<<16 - 1
	}
	if w.d.short || w.left > most || int64(w.left) > w.d.end-w.d.pos {
		return errDifferences
	}
	w.out.put(uint32(bit(b.Final)), 1)
	w.out.put(uint32(b.Type), 2)
	if b.Type == typeStored {
		w.out.align()
		w.out.put(uint32(w.left), 16)
		w.out.put(^uint32(w.left)&0xffff, 16)
	}
	return nil
}

// step makes the block's next tokens, as far as the plain bytes go.
func (w *Writer) step() {
	d := w.d
	if w.block.Type == typeStored {
		b := d.buf[d.pos-d.base:]
		b = b[:min(len(b), w.left)]
		w.out.bytes = append(w.out.bytes, b...)
		w.left -= len(b)
		d.pos += int64(len(b))
		d.known = false
		return
	}
	for w.left > 0 && w.ready() && !d.short {
		if d.pos == d.end {
			d.short = true
			return
		}
		w.block.Tokens = append(w.block.Tokens, d.token(0))
		w.left--
	}
}

func (w *Writer) end() error {
	b := &w.block
	w.open = false
	switch b.Type {
	case typeStored:
		return w.out.flush(w.w)
	case typeFixed:
		b.header.literal, b.header.dist = fixedLengths()
	case typeDynamic:
		if w.d.heads(b); w.d.short {
			return errDifferences
		}
		if !w.heads(&b.header) {
			return errDifferences
		}
	}
	if !w.tokens(b) {
		return errDifferences
	}
	return w.out.flush(w.w)
}

// heads writes a block's own trees.
func (w *Writer) heads(h *header) bool {
	w.out.put(uint32(len(h.literal)-endBlock-1), 5)
	w.out.put(uint32(len(h.dist)-1), 5)
	w.out.put(uint32(len(h.bits)-4), 4)
	c := codes{lengths: make([]uint8, bitCodes)}
	for i, n := range h.bits {
		w.out.put(uint32(n), 3)
		c.lengths[bitOrder[i]] = n
	}
	var ok bool
	if c.codes, ok = canonical(c.lengths); !ok {
		return false
	}
	for _, it := range h.items {
		w.out.code(&c, int(it.code))
		w.out.put(uint32(it.extra), itemExtra(it.code))
	}
	return true
}

func (w *Writer) tokens(b *Block) bool {
	var okLiteral, okDist bool
	literal, dist := codes{lengths: b.header.literal}, codes{lengths: b.header.dist}
	literal.codes, okLiteral = canonical(literal.lengths)
	dist.codes, okDist = canonical(dist.lengths)
	if !okLiteral || !okDist {
		return false
	}
	for _, t := range b.Tokens {
		n := t.length()
		if n == 0 {
			w.out.code(&literal, int(t))
			continue
		}
		code := int(lengthCode[n])
		w.out.code(&literal, endBlock+1+code)
		w.out.put(uint32(n)-uint32(lengthBase[code]), uint(lengthExtra[code]))
		code = distCode(t.dist())
		w.out.code(&dist, code)
		w.out.put(uint32(t.dist())-uint32(distBase[code]), uint(distExtra[code]))
	}
	w.out.code(&literal, endBlock)
	return !w.out.lost
}

// bitWriter packs bits, the lowest first.
type bitWriter struct {
	bytes []byte
	hold  uint64
	valid uint
	lost  bool // a symbol had no code
}

func (w *bitWriter) put(value uint32, n uint) {
	w.hold |= uint64(value) << w.valid
	w.valid += n
	for w.valid >= 8 {
		w.bytes = append(w.bytes, byte(w.hold))
		w.hold >>= 8
		w.valid -= 8
	}
}

func (w *bitWriter) code(c *codes, symbol int) {
	if symbol >= len(c.lengths) || c.lengths[symbol] == 0 {
		w.lost = true
		return
	}
	w.put(uint32(c.codes[symbol]), uint(c.lengths[symbol]))
}

func (w *bitWriter) align() {
	if w.valid > 0 {
		w.put(0, 8-w.valid)
	}
}

func (w *bitWriter) flush(to io.Writer) error {
	_, err := to.Write(w.bytes)
	w.bytes = w.bytes[:0]
	return err
}
