package delta

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"
)

// TestReadAhead gives the same bytes and the same end, however short the reads.
func TestReadAhead(t *testing.T) {
	failed := errors.New("failed")
	for _, size := range []int{0, 1, aheadPiece - 1, aheadPiece, 3*aheadPiece*aheadPieces + 5} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i * i >> 8)
		}
		for _, end := range []error{io.EOF, failed} {
			var running sync.WaitGroup
			stop := make(chan struct{})
			from := io.MultiReader(bytes.NewReader(want), iotest.ErrReader(end))
			var got bytes.Buffer
			_, err := got.ReadFrom(iotest.HalfReader(readAhead(from, int64(size), stop, &running)))
			if !bytes.Equal(got.Bytes(), want) || errors.Is(err, failed) != errors.Is(end, failed) || errors.Is(end, io.EOF) && err != nil {
				t.Errorf("%d bytes: got %d (%v), want the end %v", size, got.Len(), err, end)
			}
			close(stop)
			running.Wait()
		}
	}
}

// TestReadAheadStops ends with who reads, wherever it is: before any byte, between pieces, with none free.
func TestReadAheadStops(t *testing.T) {
	for _, n := range []int64{0, 1, aheadPiece, 5 * aheadPiece} {
		var running sync.WaitGroup
		stop := make(chan struct{})
		a := readAhead(endless{}, aheadPiece*aheadPieces*4, stop, &running)
		if _, err := io.CopyN(io.Discard, a, n); err != nil {
			t.Fatal(err)
		}
		close(stop)
		running.Wait()
		if _, err := io.Copy(io.Discard, a); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %d bytes: got %v, want io.ErrClosedPipe", n, err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
