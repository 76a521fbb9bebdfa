package program

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// TestTable reads numbers here and there, across the ends of blocks too.
func TestTable(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	b := make([]byte, 100+5*tableBlockSize+7)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	p := &Program{Old: bytes.NewReader(b)}
	size := int64(len(b) - 100)
	for _, table := range []*table{p.table(100, size), p.farTable(100, size), p.farTable(100, size).twin()} {
		have := b[100:]
		for range 20000 {
			at := r.IntN(6)*tableBlockSize - 40 + r.IntN(80)
			if at < 0 || at > len(have)-8 {
				if at >= len(have) && table.from(int64(at)) != nil || table.uint64(int64(at)) != 0 {
					t.Fatalf("there is something at %d", at)
				}
				continue
			}
			if got, want := table.uint64(int64(at)), binary.LittleEndian.Uint64(have[at:]); got != want {
				t.Fatalf("%x at %d, want %x", got, at, want)
			}
			got := table.from(int64(at))
			if len(got) < min(tablePad, len(have)-at) || !bytes.HasPrefix(have[at:], got) {
				t.Fatalf("%d bytes at %d", len(got), at)
			}
		}
	}
}

// TestTableEnds reads a file that is shorter than said.
func TestTableEnds(t *testing.T) {
	table := newTable(bytes.NewReader(make([]byte, 50)), 0, 100, tablePad)
	if v := table.uint32(4); v != 0 || !errors.Is(table.err, io.ErrUnexpectedEOF) {
		t.Errorf("%d, %v", v, table.err)
	}
	if b := table.from(4); b != nil {
		t.Errorf("% x", b)
	}
}
