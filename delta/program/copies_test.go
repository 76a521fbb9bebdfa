package program

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// scrambled is a program of a region, with spans that put its parts elsewhere.
func scrambled(kind Kind, size int64) *Program {
	r := rand.New(rand.NewPCG(11, uint64(kind)))
	b := make([]byte, size)
	for i := range b {
		if b[i] = byte(r.Uint32()); r.IntN(3) > 0 {
			b[i] = "\xe8\x0f\x00\x48\x8d\x90\x05\xeb"[r.IntN(8)] // what is common in code
		}
	}
	if kind != CodeAMD64 && kind != CodeARM64 && kind != CodeFixed {
		for i := 0; i < len(b); i += 8 { // addresses, and as offsets the same
			binary.LittleEndian.PutUint64(b[i:], 0x400000+r.Uint64N(uint64(size)))
		}
	}
	p := code(kind, b, size, 0)
	p.Bases, p.Spans = []Base{{0, 0}}, nil
	for new := int64(0); new < size; {
		n := min(size-new, 1+r.Int64N(400_000))
		p.Spans = append(p.Spans, Span{Old: r.Int64N(size - n + 1), New: new, Size: n})
		new += n
	}
	if err := p.Prepare(); err != nil {
		panic(err)
	}
	return p
}

func collect(t *testing.T, c *Copies) (out []byte) {
	t.Helper()
	defer c.Close()
	for {
		part, err := c.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part.Bytes...)
	}
}

// TestCopies makes sure that any number of cores makes the same of copies.
func TestCopies(t *testing.T) {
	for _, kind := range []Kind{CodeAMD64, CodeARM64, CodeFixed, Pointers, Offsets, Relocations, Symbols} {
		p := scrambled(kind, 3<<20)
		alone, together := collect(t, p.twin().copiesAlone(p.Spans)), collect(t, p.Copies(p.Spans))
		if len(alone) != 3<<20 || !bytes.Equal(alone, together) {
			t.Errorf("kind %d: %d and %d bytes differ", kind, len(alone), len(together))
		}
		old := make([]byte, p.Size)
		if _, err := p.Old.ReadAt(old, 0); err != nil {
			t.Fatal(err)
		}
		same := 0
		for _, s := range p.Spans {
			if bytes.Equal(alone[s.New:][:s.Size], old[s.Old:][:s.Size]) {
				same++
			}
		}
		if same > len(p.Spans)/2 {
			t.Errorf("kind %d: nothing is projected in %d of %d copies", kind, same, len(p.Spans))
		}
	}
}

// TestParts makes sure that a copy in parts is what it would be in one piece, but for instructions of x86-64 where telling
// them apart from elsewhere takes long to come to the same.
func TestParts(t *testing.T) {
	for _, kind := range []Kind{CodeAMD64, CodeARM64, CodeFixed, Pointers, Offsets, Relocations, Symbols} {
		p := scrambled(kind, 1<<20)
		want := make([]byte, 1<<20)
		if _, err := p.Old.ReadAt(want, 0); err != nil {
			t.Fatal(err)
		}
		r := &p.Regions[0]
		w := &window{b: want, n: len(want), starts: make([]uint64, len(want)/64)}
		p.place(w)
		p.lows = p.lows[:0]
		p.projectRegion(r, w)
		got := collect(t, p.copiesAlone([]Span{{Size: 1 << 20}}))
		different := 0
		for i := range got {
			if got[i] != want[i] {
				different++
			}
		}
		if different > 0 && (kind != CodeAMD64 && kind != CodeFixed || different > 16) {
			t.Errorf("kind %d: %d bytes differ", kind, different)
		}
	}
}

// TestCopiesFail tells of an old file that ends early, and ends what works ahead.
func TestCopiesFail(t *testing.T) {
	p := scrambled(Pointers, 3<<20)
	p.Old = bytes.NewReader(make([]byte, 1<<20))
	c := p.Copies([]Span{{Size: 3 << 20}})
	n := 0
	var err error
	for err == nil {
		var part *Part
		if part, err = c.Next(); err == nil {
			n += len(part.Bytes)
		}
	}
	if c.Close(); !errors.Is(err, io.ErrUnexpectedEOF) || n > 1<<20 || n < 1<<19 {
		t.Errorf("%v after %d bytes", err, n)
	}
	p.Copies([]Span{{Size: 3 << 20}}).Close()
}
