package tokens

import (
	"errors"
	"fmt"
	"io"
)

// ErrCostly says that the differences are more than they are worth.
var ErrCostly = errors.New("tokens: too many differences")

// Models is how many models of encoders there are.
func Models() int { return len(models) }

// Encode returns the differences between the DEFLATE stream packed and what the model expects, given
// its plain bytes, of which there are size. It is ErrCostly if they are more than limit bytes.
//
// At most stop plain bytes are looked at, and a block more: what it returns then is only good for its
// size. read is how many bytes of packed that were.
func Encode(packed io.ByteReader, plain io.Reader, size int64, model, limit int, stop int64) (differences []byte, read int64, err error) {
	count := &byteCounter{r: packed}
	p := NewParser(count)
	d := newModel(models[model], newCoder(), size)
	var b Block
	for !b.Final && d.pos < min(stop, size+1) {
		if err := p.Next(&b); err != nil {
			return nil, 0, err
		}
		if d.pos+int64(b.Size) > size {
			return nil, 0, ErrForm
		}
		if err := d.encode(&b, plain); err != nil {
			return nil, 0, err
		}
		if len(d.bytes) > limit {
			return nil, 0, ErrCostly
		}
	}
	if b.Final && d.pos != size {
		return nil, 0, ErrForm
	}
	return d.finish(), count.n, nil
}

// encode codes a block.
func (d *model) encode(b *Block, plain io.Reader) error {
	size := len(b.Tokens)
	if b.Type == typeStored {
		size = b.Size
	}
	d.begin(b, size)
	if b.Type == typeStored {
		d.pos += int64(b.Size)
		d.known = false
		return d.feed(plain)
	}
	for _, t := range b.Tokens {
		if err := d.feed(plain); err != nil {
			return err
		}
		d.token(t)
	}
	if b.Type == typeDynamic {
		d.heads(b)
	}
	return nil
}

// feed reads on until enough plain bytes are in the buffer, so far as there are.
func (d *model) feed(plain io.Reader) error {
	for d.base+int64(len(d.buf)) < min(d.end, d.pos+lookahead) {
		d.settle()
		n := int(min(int64(readSize), d.end-d.base-int64(len(d.buf))))
		d.buf = append(d.buf, make([]byte, n)...)
		if _, err := io.ReadFull(plain, d.buf[len(d.buf)-n:]); err != nil {
			return fmt.Errorf("tokens: plain bytes: %w", err)
		}
	}
	return nil
}

const readSize = 64 << 10

// settle puts what is behind into the tables, so far as it can be, and drops what is out of reach.
func (d *model) settle() {
	if have := d.base + int64(len(d.buf)); have > 0 {
		d.insert(min(d.pos-1, have-minMatch))
	}
	d.slide(min(d.pos, d.hashed))
}

type byteCounter struct {
	r io.ByteReader
	n int64
}

func (c *byteCounter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}
