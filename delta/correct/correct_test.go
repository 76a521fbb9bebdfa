package correct

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// pair is an old program and a new one, cut into steps.
type pair struct {
	old, new []byte
	kind     program.Kind
	steps    []Step
}

// opcodes are bytes that make code: most begin instructions with operands.
var opcodes = []byte{0x48, 0x89, 0x8b, 0xe8, 0xe9, 0xeb, 0x74, 0x75, 0xc3, 0x90, 0x83, 0x8d, 0x05, 0x24, 0x44, 0x0f, 0x84, 0x00, 0x00, 0xff}

// randomPair cuts random code, or data, and changes some of it.
func randomPair(r *rand.Rand, kind program.Kind, size int) pair {
	x := pair{kind: kind, old: make([]byte, size)}
	for i := range x.old {
		if x.old[i] = opcodes[r.IntN(len(opcodes))]; r.IntN(4) == 0 {
			x.old[i] = byte(r.Uint32())
		}
	}
	for len(x.new) < size {
		n := min(1+r.IntN(1<<(1+r.IntN(13))), size)
		s := Step{Literal: r.IntN(3) == 0, Size: int64(n)}
		if s.Literal {
			x.new = append(x.new, make([]byte, n)...)
		} else {
			s.Old = int64(r.IntN(size - n + 1))
			at := len(x.new)
			x.new = append(x.new, x.old[s.Old:][:n]...)
			for range r.IntN(1 + n/20) {
				x.new[at+r.IntN(n)] += byte(r.IntN(5))
			}
		}
		x.steps = append(x.steps, s)
	}
	return x
}

// program describes the pair but for spans.
func (x pair) program() *program.Program {
	load := func(b []byte) []program.Load {
		return []program.Load{{Address: 0x400000, Size: int64(len(b)), Memory: int64(len(b))}}
	}
	return &program.Program{Old: bytes.NewReader(x.old), Size: int64(len(x.old)), OldLoads: load(x.old), NewLoads: load(x.new),
		Bases: make([]program.Base, 16), Regions: []program.Region{{Kind: x.kind, Size: int64(len(x.old))}}}
}

// run codes the pair's steps and changes and returns what comes out; an encoder also needs the new file.
func (x pair) run(t testing.TB, c *Codec, new []byte) ([]Step, []byte, error) {
	t.Helper()
	p := x.program()
	if err := c.Begin(p, len(x.steps)); err != nil {
		t.Fatal(err)
	}
	var steps []Step
	out := make([]byte, 0, len(x.new))
	at := int64(0)
	for _, s := range x.steps {
		if !c.encoding {
			s = Step{}
		}
		if c.Step(&s); c.Err() != nil {
			return nil, nil, c.Err()
		}
		if s.Size > int64(len(x.new))-at || !s.Literal && s.Old > p.Size-s.Size {
			return nil, nil, ErrInvalid
		}
		if steps = append(steps, s); !s.Literal {
			p.Spans = append(p.Spans, program.Span{Old: s.Old, New: at, Size: s.Size})
		}
		at += s.Size
	}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	blocks := make([]uint64, len(x.new)>>BlockBits/64+1)
	for i := range blocks {
		blocks[i] = ^uint64(0)
	}
	c.Changes(new, blocks)
	copies := p.Copies(p.Spans)
	defer copies.Close()
	for _, s := range p.Spans {
		c.Copy(s)
		out = append(out, make([]byte, s.New-int64(len(out)))...) // literals are zeros
		for left := s.Size; left > 0; {
			part, err := copies.Next()
			if err != nil {
				return nil, nil, err
			}
			if c.Correct(part); c.Err() != nil {
				return nil, nil, c.Err()
			}
			out = append(out, part.Bytes...)
			left -= int64(len(part.Bytes))
		}
	}
	return steps, append(out, make([]byte, len(x.new)-len(out))...), nil
}

// TestRoundTrip codes random programs, one after another in one stream.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(5, seed))
		var pairs []pair
		count := int64(0)
		for _, kind := range []program.Kind{program.CodeAMD64, program.Relocations, program.CodeARM64, program.CodeFixed, program.Pointers} {
			x := randomPair(r, kind, 3000+r.IntN(30000))
			count += int64(len(x.steps))
			pairs = append(pairs, x)
		}
		c := mix.NewEncoder()
		e := New(c, count, true)
		for _, x := range pairs {
			if _, _, err := x.run(t, e, x.new); err != nil {
				t.Fatal(err)
			}
		}
		back := mix.NewDecoder(bytes.NewReader(c.Bytes()))
		d := New(back, count, false)
		for i, x := range pairs {
			steps, out, err := x.run(t, d, nil)
			if err != nil || !bytes.Equal(out, x.new) {
				t.Fatalf("seed %d: program %d comes out wrong: %v", seed, i, err)
			}
			for k, s := range x.steps {
				if s.Literal {
					s.Old = 0
				}
				if steps[k] != s {
					t.Fatalf("seed %d: step %d of program %d is %+v, want %+v", seed, k, i, steps[k], s)
				}
			}
		}
		if err := back.End(); err != nil {
			t.Error(err)
		}
	}
}

// TestUnchanged makes sure that what does not change costs nearly nothing.
func TestUnchanged(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	x := randomPair(r, program.CodeAMD64, 1<<20)
	x.new, x.steps = x.old, []Step{{Size: 1 << 20}}
	c := mix.NewEncoder()
	e := New(c, 1, true)
	p := x.program()
	p.Spans = []program.Span{{Size: 1 << 20}}
	if err := e.Begin(p, 1); err != nil {
		t.Fatal(err)
	}
	e.Step(&x.steps[0])
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	e.Changes(x.new, make([]uint64, 1<<20>>BlockBits/64+1))
	e.Copy(p.Spans[0])
	copies := p.Copies(p.Spans)
	defer copies.Close()
	for range 1 << 20 / program.PartSize {
		part, err := copies.Next()
		if err != nil {
			t.Fatal(err)
		}
		e.Correct(part)
	}
	if n := len(c.Bytes()); n > 40 {
		t.Errorf("%d bytes for no change", n)
	}
}

// FuzzDecode decodes anything: no panic, and no step that lies outside of the old file gets by.
func FuzzDecode(f *testing.F) {
	for seed := range uint64(4) {
		x := randomPair(rand.New(rand.NewPCG(7, seed)), program.CodeAMD64, 4000)
		c := mix.NewEncoder()
		if _, _, err := x.run(f, New(c, int64(len(x.steps)), true), x.new); err != nil {
			f.Fatal(err)
		}
		f.Add(c.Bytes(), byte(seed), uint16(len(x.steps)))
	}
	f.Add(bytes.Repeat([]byte{0xff}, 100), byte(1), uint16(50))
	f.Add([]byte{}, byte(0), uint16(3))
	f.Fuzz(func(t *testing.T, coded []byte, seed byte, count uint16) {
		kind := program.Kind(seed) % (program.SymbolHash + 1)
		x := randomPair(rand.New(rand.NewPCG(7, uint64(seed))), kind, 4000)
		x.steps = make([]Step, count%512)
		c := New(mix.NewDecoder(bytes.NewReader(coded)), int64(len(x.steps)), false)
		if _, out, err := x.run(t, c, nil); err == nil && len(out) != len(x.new) {
			t.Errorf("%d bytes of %d", len(out), len(x.new))
		}
	})
}
