package delta

import (
	"io"
	"sync/atomic"
)

// sink takes plain bytes and makes the blob out of them.
type sink interface {
	Write(p []byte) (int, error)
	// Same is as recompress.Writer's.
	Same(skip int64, t *Tokens, offset, n int64) error
}

// pipeline lets a writer work beside whoever makes the bytes: to make them costs about as much as to
// compress them. The writer gets nothing before it is known to be right.
type pipeline struct {
	to    io.Writer
	right func() error // waits; nil: nobody has to know
	now   delivery
	later bool // some bytes that have been promised may not be there yet
	queue chan delivery
	free  chan delivery
	done  chan struct{}
	err   atomic.Pointer[error] // the writer's first
}

// delivery is bytes or, if it has none, what Same is told, or what is to be told that it was reached.
type delivery struct {
	b       []byte
	holes   []hole // of b, filled before it is written
	same    *Tokens
	skip    int64
	offset  int64
	n       int64
	reached chan struct{}
}

// hole is where bytes are missing that come from elsewhere.
type hole struct {
	at, n int
	fill  func(b []byte) error
}

// A pipeline holds this many pieces of so many bytes: whoever makes them needs not wait where the writer waits for
// literals that take long.
const (
	pipelinePieces = 24
	pipelinePiece  = 128 << 10
	pieceHoles     = 1 << 10 // of a piece at most
)

func newPipeline(to io.Writer, right func() error) *pipeline {
	p := &pipeline{to: to, right: right, queue: make(chan delivery, pipelinePieces), free: make(chan delivery, pipelinePieces), done: make(chan struct{})}
	for range pipelinePieces {
		p.free <- delivery{}
	}
	p.next()
	go p.run()
	return p
}

func (p *pipeline) run() {
	defer close(p.done)
	if p.right != nil {
		if err := p.right(); err != nil {
			p.err.Store(&err)
		}
	}
	for d := range p.queue {
		if p.err.Load() == nil {
			if err := p.work(d); err != nil {
				p.err.Store(&err)
			}
		}
		switch {
		case d.b != nil:
			p.free <- delivery{b: d.b[:0], holes: d.holes[:0]}
		case d.reached != nil:
			close(d.reached)
		}
	}
}

func (p *pipeline) work(d delivery) error {
	if d.same != nil {
		return p.to.(sink).Same(d.skip, d.same, d.offset, d.n)
	}
	for _, h := range d.holes {
		if err := h.fill(d.b[h.at:][:h.n]); err != nil {
			return err
		}
	}
	_, err := p.to.Write(d.b)
	return err
}

// failed returns the writer's error.
func (p *pipeline) failed() error {
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

// fail lets nothing more be written.
func (p *pipeline) fail(err error) { p.err.CompareAndSwap(nil, &err) }

// Write takes b. An error may be that of earlier bytes.
func (p *pipeline) Write(b []byte) (int, error) {
	taken := 0
	for taken < len(b) {
		n := min(len(b)-taken, cap(p.now.b)-len(p.now.b))
		p.now.b = append(p.now.b, b[taken:taken+n]...)
		taken += n
		if err := p.passFull(); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// Later takes n bytes that fill gives when the writer comes to them. It is called by another goroutine then.
func (p *pipeline) Later(n int64, fill func(b []byte) error) error {
	p.later = p.later || n > 0
	for n > 0 {
		at := len(p.now.b)
		k := int(min(n, int64(cap(p.now.b)-at)))
		p.now.b = p.now.b[:at+k]
		p.now.holes = append(p.now.holes, hole{at, k, fill})
		n -= int64(k)
		if len(p.now.holes) == pieceHoles {
			if err := p.pass(); err != nil {
				return err
			}
		}
		if err := p.passFull(); err != nil {
			return err
		}
	}
	return nil
}

// passFull passes the piece in hand on if it is full.
func (p *pipeline) passFull() error {
	if len(p.now.b) < cap(p.now.b) {
		return nil
	}
	return p.pass()
}

// pass passes the piece in hand on.
func (p *pipeline) pass() error {
	if err := p.failed(); err != nil {
		return err
	}
	p.queue <- p.now
	p.next()
	return nil
}

// next begins the next piece.
func (p *pipeline) next() {
	if p.now = <-p.free; p.now.b == nil {
		p.now.b = make([]byte, 0, pipelinePiece)
	}
}

// Same tells the sink; bytes that it does not have yet are skipped, too.
func (p *pipeline) Same(skip int64, t *Tokens, offset, n int64) error {
	p.queue <- delivery{same: t, skip: skip + int64(len(p.now.b)), offset: offset, n: n}
	return p.failed()
}

// drain waits until the writer has everything.
func (p *pipeline) drain() error {
	p.queue <- p.now
	p.next()
	d := delivery{reached: make(chan struct{})}
	p.queue <- d
	<-d.reached
	p.later = false
	return p.failed()
}

// close waits until the writer has everything, and returns its error.
func (p *pipeline) close() error {
	p.queue <- p.now
	close(p.queue)
	<-p.done
	return p.failed()
}
