package recompress

import (
	"bytes"
	"io"

	kp1203 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1203/flate"
)

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
	compressor *kp1203.Writer
	block      []byte
	tail       []byte // nil: no dictionary
	packed     bytes.Buffer
}

func newBlockWriter(w io.Writer, e encoder) (io.WriteCloser, error) {
	if e.block < minBlock || e.block > maxBlock {
		return nil, malformed("recipe has blocks of %d bytes", e.block)
	}
	c, err := kp1203.NewWriterDict(io.Discard, int(e.level), nil)
	if err != nil {
		return nil, &Error{reason: "newer", message: "recipe's encoder", err: err}
	}
	return &blockWriter{w: w, compressor: c, block: make([]byte, 0, e.block)}, nil
}

func (b *blockWriter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		n := min(len(p), cap(b.block)-len(b.block))
		b.block = append(b.block, p[:n]...)
		p = p[n:]
		if len(b.block) == cap(b.block) {
			if err := b.flush(false); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (b *blockWriter) Close() error { return b.flush(true) }

// flush compresses the block; pgzip makes one more, maybe empty, at the end.
func (b *blockWriter) flush(last bool) error {
	b.packed.Reset()
	b.compressor.ResetDict(&b.packed, b.tail)
	if _, err := b.compressor.Write(b.block); err != nil {
		return err
	}
	if err := b.compressor.Flush(); err != nil {
		return err
	}
	if last {
		if err := b.compressor.Close(); err != nil {
			return err
		}
	}
	b.tail = nil
	if len(b.block) > pgzipTail {
		b.tail = bytes.Clone(b.block[len(b.block)-pgzipTail:])
	}
	b.block = b.block[:0]
	_, err := b.w.Write(b.packed.Bytes())
	return err
}
