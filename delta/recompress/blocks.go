package recompress

import "io"

// pgzipTail is how much of a block klauspost/pgzip gives the next one as its dictionary.
const pgzipTail = 16 << 10

// Limits of a block's size; klauspost/pgzip refuses less than its tail.
const (
	minBlock = pgzipTail + 1
	maxBlock = 4 << 20
)

// blockWriter compresses as klauspost/pgzip does: blocks by themselves, each with the end of the one
// before as its dictionary and flushed to a byte boundary, so that several can be made at a time.
type blockWriter struct {
	w          io.Writer
	compressor dictWriter
	size, left int // bytes of a block, and those that the current one still takes
	tail       []byte
}

func newBlockWriter(w io.Writer, e encoder, g goEncoder) (io.WriteCloser, error) {
	if e.block < minBlock || e.block > maxBlock {
		return nil, malformed("recipe has blocks of %d bytes", e.block)
	}
	c, err := g.newDict(w, int(e.level))
	if err != nil {
		return nil, &Error{reason: "newer", message: "recipe's encoder", err: err}
	}
	c.ResetDict(w, nil)
	return &blockWriter{w: w, compressor: c, size: int(e.block), left: int(e.block)}, nil
}

func (b *blockWriter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		n := min(len(p), b.left)
		if _, err := b.compressor.Write(p[:n]); err != nil {
			return 0, err
		}
		b.tail = append(b.tail, p[max(0, n-pgzipTail):n]...)
		if extra := len(b.tail) - pgzipTail; extra > 0 {
			b.tail = append(b.tail[:0], b.tail[extra:]...)
		}
		p = p[n:]
		if b.left -= n; b.left > 0 {
			continue
		}
		if err := b.compressor.Flush(); err != nil {
			return 0, err
		}
		b.compressor.ResetDict(b.w, b.tail)
		b.left = b.size
	}
	return written, nil
}

// Close ends the last block, which may be empty.
func (b *blockWriter) Close() error {
	if err := b.compressor.Flush(); err != nil {
		return err
	}
	return b.compressor.Close()
}
