package program

import (
	"bytes"
	"sync"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

const (
	tailSize = 4096
	// maxLine bounds what a program may add to a message, in bytes.
	maxLine = 300
)

// tail keeps the end of what is written to it. It may be read while it is written to, by a program that does not end.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if len(p) > tailSize {
		p = p[len(p)-tailSize:]
	}
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return n, nil
}

// lastLine is the last line with anything in it.
func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(t.buf, []byte("\n"))
	for i := len(lines) - 1; i >= 0; i-- {
		if s := oneline.Clean(string(lines[i]), maxLine); s != "" {
			return s
		}
	}
	return ""
}
