package part

import (
	"errors"
	"io"
	"unsafe"
)

const (
	// unit is the piece that is compared, and written if it differs, in bytes.
	unit = 4 << 10
	// chunk is what is read or written at once, in bytes.
	chunk = 1 << 20
	// deep is how many chunks are read ahead of their user.
	deep = 2
)

// aligned makes a buffer as direct I/O wants it: it begins at a multiple of unit.
func aligned(n int) []byte {
	b := make([]byte, n+unit)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (unit - 1)
	return b[skip : skip+n : skip+n]
}

// ahead reads a file chunk by chunk in a goroutine of its own, while its user works on the chunk before.
type ahead struct {
	full chan piece
	free chan []byte
	stop chan struct{}
	last []byte // what the user has
}

type piece struct {
	b   []byte
	err error
}

// readAhead begins to read the bytes up to size, and those that are in one sector with the last of them.
func readAhead(r io.ReaderAt, size int64, sector int) *ahead {
	a := &ahead{full: make(chan piece, deep), free: make(chan []byte, deep), stop: make(chan struct{})}
	for range deep {
		a.free <- aligned(chunk)
	}
	go a.run(r, roundUp(size, sector))
	return a
}

func (a *ahead) run(r io.ReaderAt, end int64) {
	defer close(a.full)
	for off := int64(0); off < end; off += chunk {
		select {
		case <-a.stop:
			return
		case b := <-a.free:
			n, err := r.ReadAt(b[:min(chunk, end-off)], off)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			a.full <- piece{b[:n], err} // there are no more pieces than find room
		}
	}
}

// next gives the next chunk, which is good until the call after. A chunk that cannot be read does not end the reading:
// the one after it may be readable. At the end the error is io.EOF.
func (a *ahead) next() ([]byte, error) {
	if a.last != nil {
		a.free <- a.last[:chunk]
		a.last = nil
	}
	p, ok := <-a.full
	if !ok {
		return nil, io.EOF
	}
	a.last = p.b[:0]
	return p.b, p.err
}

// close ends the reading, and waits until nothing is read any more.
func (a *ahead) close() {
	close(a.stop)
	for range a.full { // until it is closed
	}
}

func roundUp(n int64, to int) int64 { return (n + int64(to) - 1) / int64(to) * int64(to) }
