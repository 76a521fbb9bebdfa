package program

import (
	"errors"
	"io"
	"runtime"
	"sync"
)

// Copies gives the parts of copies, one after another. Where they are many it projects them ahead on several cores.
type Copies struct {
	cut     cutter
	waiting extent // that is cut and found no room yet; size 0: none is
	alone   *Program
	todo    chan *batch
	ahead   []*batch // what was given to todo, in order
	running sync.WaitGroup
	now     *batch
	next    int    // of its parts
	over    []byte // what the last part changed behind itself
	err     error  // of cutting
}

// batch is parts that are projected together: as many as fit into its room.
type batch struct {
	whole, room room // all of it, and what is left
	parts       []Part
	err         error
	done        chan struct{}
}

// room is what parts are kept in.
type room struct {
	buf, raw []byte
	starts   []uint64
}

const (
	maxProjectors = 4       // cores that project
	batchesAhead  = 2       // batches for each of them
	batchParts    = 1 << 10 // parts of a batch at most
	batchWords    = partRoom/64 + batchParts
	severalFrom   = 4 * PartSize // bytes of copies that more than one core projects
)

var batches = sync.Pool{New: func() any {
	return &batch{whole: room{make([]byte, partRoom), make([]byte, partRoom), make([]uint64, batchWords)}, done: make(chan struct{}, 1)}
}}

// Copies begins to copy spans. p has to be prepared; it may be used meanwhile, but not changed. Whoever calls it has to
// call Close.
func (p *Program) Copies(spans []Span) *Copies {
	size := int64(0)
	for _, s := range spans {
		size += s.Size
	}
	cores := min(runtime.GOMAXPROCS(0), maxProjectors)
	if cores == 1 || size < severalFrom {
		return p.twin().copiesAlone(spans)
	}
	c := &Copies{cut: cutter{p: p, spans: spans}, todo: make(chan *batch, cores*batchesAhead)}
	for range cores {
		w := p.twin()
		c.running.Go(func() {
			for b := range c.todo {
				w.batch(b)
				b.done <- struct{}{}
			}
		})
	}
	for range cores * batchesAhead {
		c.feed(batches.Get().(*batch))
	}
	return c
}

// copiesAlone begins to copy spans with p itself, which may not be used meanwhile.
func (p *Program) copiesAlone(spans []Span) *Copies {
	return &Copies{cut: cutter{p: p, spans: spans}, alone: p}
}

// twin returns a copy of a program that projects beside it.
func (p *Program) twin() *Program {
	w := *p
	w.lines, w.lows = p.lines.twin(), nil
	return &w
}

func (p *Program) batch(b *batch) {
	for i := range b.parts {
		if b.err = p.project(&b.parts[i]); b.err != nil {
			return
		}
	}
}

// feed cuts the next parts and has them projected. It keeps the batch behind the last one.
func (c *Copies) feed(b *batch) {
	if c.fill(b); len(b.parts) == 0 {
		batches.Put(b)
		return
	}
	if c.alone != nil {
		c.alone.batch(b)
		b.done <- struct{}{}
	} else {
		c.todo <- b
	}
	c.ahead = append(c.ahead, b)
}

// fill cuts the next parts for a batch.
func (c *Copies) fill(b *batch) {
	b.parts, b.room, b.err = b.parts[:0], b.whole, nil
	for c.err == nil && len(b.parts) < batchParts {
		if c.waiting.size == 0 {
			if c.waiting, c.err = c.cut.next(); c.err != nil || c.waiting.size == 0 {
				return
			}
		}
		x := c.waiting
		if x.lead+x.size+x.tail > len(b.room.buf) {
			return
		}
		b.parts = append(b.parts, b.room.part(x))
		c.waiting = extent{}
	}
}

// part takes room for a part.
func (m *room) part(x extent) Part {
	n, words := x.lead+x.size+x.tail, (x.size+63)/64
	t := Part{Old: x.old, New: x.new, buf: m.buf[:n:n], raw: m.raw[:n:n], lead: x.lead, starts: m.starts[:words:words]}
	m.buf, m.raw, m.starts = m.buf[n:], m.raw[n:], m.starts[words:]
	t.Bytes, t.Raw = t.buf[x.lead:][:x.size], t.raw[x.lead:][:x.size]
	return t
}

// Next returns the next part, which stays as it is until the call after. Errors are the old file's; io.EOF comes behind
// the last part.
func (c *Copies) Next() (*Part, error) {
	if c.now != nil {
		last := &c.now.parts[c.next-1]
		c.over = append(c.over[:0], last.buf[last.lead+len(last.Bytes):][:last.over]...)
	}
	if c.now == nil || c.next == len(c.now.parts) {
		if err := c.advance(); err != nil {
			return nil, err
		}
	}
	t := &c.now.parts[c.next]
	c.next++
	copy(t.Bytes, c.over)
	return t, nil
}

// advance goes on to the next batch.
func (c *Copies) advance() error {
	b := c.now
	if c.now = nil; b == nil && c.alone != nil {
		b = batches.Get().(*batch)
	}
	if b != nil {
		c.feed(b)
	}
	if len(c.ahead) == 0 {
		if c.err != nil {
			return c.err
		}
		return io.EOF
	}
	b = c.ahead[0]
	c.ahead = c.ahead[1:]
	<-b.done
	c.now, c.next = b, 0
	if b.err != nil {
		c.next = 1
	}
	return b.err
}

// Close ends what works ahead.
func (c *Copies) Close() {
	if c.todo != nil {
		close(c.todo)
		c.running.Wait()
	}
	for _, b := range c.ahead {
		<-b.done
		batches.Put(b)
	}
	if c.now != nil {
		batches.Put(c.now)
	}
	c.ahead, c.now = nil, nil
}

// Copy gives emit the size bytes that go from offset old of the old file to offset new of the new one, projected, piece by
// piece. A reference that the copy cuts stays as it is.
func (p *Program) Copy(old, new, size int64, emit func(b []byte) error) error {
	c := p.copiesAlone([]Span{{Old: old, New: new, Size: size}})
	defer c.Close()
	for {
		t, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := emit(t.Bytes); err != nil {
			return err
		}
	}
}
