package build

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// progress adds up what is done of a phase, and tells of it in steps of a thousandth at most.
type progress struct {
	b      *builder
	label  string
	total  int64 // bytes
	layers int   // whose forms are decided in this phase; 0 if the phase is not about that

	mu          sync.Mutex
	bytes, told int64
	count       int
}

func (b *builder) measure(label string) *progress { return &progress{b: b, label: label} }

// add notes n more bytes.
func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += n
	if p.total <= 0 || p.bytes < p.told+p.total/1000 && p.bytes < p.total {
		return
	}
	p.told = p.bytes
	e := Event{Label: p.label, Done: min(p.bytes, p.total), Total: p.total}
	if p.layers > 0 {
		e.Text = fmt.Sprintf("in %d/%d layers", p.count, p.layers)
	}
	p.b.observe(e)
}

// layer begins a layer of size bytes. When it is closed all of them are told, whatever way it took.
func (p *progress) layer(size int64) *layerProgress { return &layerProgress{p: p, left: size} }

// layerProgress is how far one layer is. One goroutine at a time tells.
type layerProgress struct {
	p      *progress
	left   int64 // bytes still to tell
	halves bool  // its bytes are gone through twice: to bring them here is half of the work
}

func (l *layerProgress) add(n int64) {
	if l.halves {
		n /= 2
	}
	n = min(n, l.left)
	l.left -= n
	l.p.add(n)
}

// fetching gives what opens a layer that is far away.
func (l *layerProgress) fetching(open func(context.Context) (io.ReadCloser, error)) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) {
		r, err := open(ctx)
		if err != nil {
			return nil, err
		}
		l.halves = true
		return &progressReader{r, l.add}, nil
	}
}

func (l *layerProgress) close() {
	l.p.mu.Lock()
	l.p.count++
	l.p.mu.Unlock()
	l.halves = false
	l.add(l.left)
}

// progressReader tells of what is read.
type progressReader struct {
	io.ReadCloser
	tell func(n int64)
}

func (r *progressReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.tell(int64(n))
	return n, err
}

// progressWriter tells of what is written.
type progressWriter struct {
	io.Writer
	tell func(n int64)
}

func (w *progressWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	w.tell(int64(n))
	return n, err
}
