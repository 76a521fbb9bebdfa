package delta

import (
	"io"
	"sync"
)

// ahead decodes a stream in a goroutine of its own while others are read: what mixes is slow, and what
// the streams hold does not depend on each other.
type ahead struct {
	from   io.Reader
	pieces chan []byte
	free   chan []byte
	piece  []byte // that is being read
	rest   []byte // of it
	err    error  // of from; read once pieces is closed
}

// A stream is read this far ahead of whoever uses it, in pieces of so many bytes.
const (
	aheadPieces = 8
	aheadPiece  = 32 << 10
)

// readAhead returns a reader of what from gives, size bytes as far as is known, which are read from now
// on. Whoever closes stop has to wait for the goroutine in running before from goes.
func readAhead(from io.Reader, size int64, stop <-chan struct{}, running *sync.WaitGroup) io.Reader {
	a := &ahead{from: from, pieces: make(chan []byte, aheadPieces), free: make(chan []byte, aheadPieces)}
	for range aheadPieces {
		a.free <- nil // made when it is needed
	}
	running.Go(func() {
		defer close(a.pieces)
		for a.err == nil {
			select {
			case <-stop:
				a.err = io.ErrClosedPipe
			case b := <-a.free:
				if b == nil {
					b = make([]byte, min(aheadPiece, size+1))
				}
				a.fill(b[:cap(b)], stop)
			}
		}
	})
	return a
}

// fill reads a piece, as long as nobody stops it, and passes it on.
func (a *ahead) fill(b []byte, stop <-chan struct{}) {
	n := 0
	for n < len(b) && a.err == nil {
		select {
		case <-stop:
			a.err = io.ErrClosedPipe
			return
		default:
		}
		var m int
		m, a.err = a.from.Read(b[n:])
		n += m
	}
	a.pieces <- b[:n] // there are no more pieces than find room
}

// Read gives what has been read, and waits for more.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.piece != nil {
			a.free <- a.piece
			a.piece = nil
		}
		b, ok := <-a.pieces
		if !ok {
			return 0, a.err
		}
		a.piece, a.rest = b, b
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}
