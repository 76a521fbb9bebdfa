package delta

import (
	"io"
	"sync"
)

// pass is one of the ways through a blob that Diff takes, one after the other.
type pass int

const (
	expanding pass = iota // the blob
	comparing             // what its plain bytes hold with the olds
	planning              // what has changed
	coding                // the pieces
	proving               // the patch
	passes
)

// weights are about how long each pass takes.
var weights = [passes]int64{1, 1, 4, 4, 2}

// meter tells how far a Diff is, by how far each pass has come at most: a pass that is taken again does not go back.
type meter struct {
	tell func(n int64) // nil: nobody wants to know
	size int64         // of the blob

	mu   sync.Mutex
	told int64
	part [passes]float64 // of each pass, up to 1
}

// reached notes that a pass has come to offset at of size.
func (m *meter) reached(p pass, at, size int64) {
	if m.tell == nil || size <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.part[p] = max(m.part[p], min(1, float64(at)/float64(size)))
	var sum float64
	var all int64
	for i, w := range weights {
		sum += m.part[i] * float64(w)
		all += w
	}
	if now := int64(sum / float64(all) * float64(m.size)); now > m.told {
		m.tell(now - m.told)
		m.told = now
	}
}

// readerAt gives r, whose size bytes a pass reads.
func (m *meter) readerAt(p pass, r io.ReaderAt, size int64) io.ReaderAt {
	return meteredReader{r, m, p, size}
}

type meteredReader struct {
	io.ReaderAt
	meter *meter
	pass  pass
	size  int64
}

func (r meteredReader) ReadAt(b []byte, at int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(b, at)
	r.meter.reached(r.pass, at+int64(n), r.size)
	return n, err
}

// writer gives w, to which a pass writes size bytes.
func (m *meter) writer(p pass, w io.Writer, size int64) io.Writer {
	return &meteredWriter{w, m, p, size, 0}
}

type meteredWriter struct {
	io.Writer
	meter *meter
	pass  pass
	size  int64
	n     int64
}

func (w *meteredWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	w.n += int64(n)
	w.meter.reached(w.pass, w.n, w.size)
	return n, err
}
