package delta

import "sync/atomic"

// sink takes plain bytes and makes the blob out of them.
type sink interface {
	Write(p []byte) (int, error)
	// Same is as recompress.Writer's.
	Same(skip int64, t *Tokens, offset, n int64) error
}

// pipeline lets a sink work beside whoever makes the bytes: to make them costs about as much as to
// compress them. The sink gets nothing before it is known to be right.
type pipeline struct {
	to    sink
	right func() error // waits
	buf   []byte
	queue chan delivery
	free  chan []byte
	done  chan struct{}
	err   atomic.Pointer[error] // the sink's first
}

// delivery is bytes or, if it has none, what Same is told.
type delivery struct {
	b               []byte
	tokens          *Tokens
	skip, offset, n int64
}

// A pipeline holds this many pieces of so many bytes.
const (
	pipelinePieces = 4
	pipelinePiece  = 128 << 10
)

func newPipeline(to sink, right func() error) *pipeline {
	p := &pipeline{to: to, right: right, queue: make(chan delivery, pipelinePieces), free: make(chan []byte, pipelinePieces), done: make(chan struct{})}
	for range pipelinePieces {
		p.free <- make([]byte, 0, pipelinePiece)
	}
	p.buf = <-p.free
	go p.run()
	return p
}

func (p *pipeline) run() {
	defer close(p.done)
	if err := p.right(); err != nil {
		p.err.Store(&err)
	}
	for d := range p.queue {
		if p.err.Load() == nil {
			if err := p.work(d); err != nil {
				p.err.Store(&err)
			}
		}
		if d.b != nil {
			p.free <- d.b[:0]
		}
	}
}

func (p *pipeline) work(d delivery) error {
	if d.b == nil {
		return p.to.Same(d.skip, d.tokens, d.offset, d.n)
	}
	_, err := p.to.Write(d.b)
	return err
}

// failed returns the sink's error.
func (p *pipeline) failed() error {
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Write takes b. An error may be that of earlier bytes.
func (p *pipeline) Write(b []byte) (int, error) {
	taken := 0
	for taken < len(b) {
		n := min(len(b)-taken, cap(p.buf)-len(p.buf))
		p.buf = append(p.buf, b[taken:taken+n]...)
		taken += n
		if len(p.buf) == cap(p.buf) {
			if err := p.failed(); err != nil {
				return taken, err
			}
			p.queue <- delivery{b: p.buf}
			p.buf = <-p.free
		}
	}
	return taken, nil
}

// Same tells the sink; bytes that it does not have yet are skipped, too.
func (p *pipeline) Same(skip int64, t *Tokens, offset, n int64) error {
	p.queue <- delivery{skip: skip + int64(len(p.buf)), tokens: t, offset: offset, n: n}
	return p.failed()
}

// close waits until the sink has everything, and returns its error.
func (p *pipeline) close() error {
	p.queue <- delivery{b: p.buf}
	close(p.queue)
	<-p.done
	return p.failed()
}
