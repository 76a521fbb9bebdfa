package mix

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// literal is one of a patch.
type literal struct {
	kind    Kind
	address int64
	bytes   []byte
}

// editedText makes an old text and what an edited one has new.
func editedText(n int) (old []byte, list []literal) {
	r := rand.New(rand.NewPCG(2, 2))
	for i := range n {
		old = fmt.Appendf(old, "func name%d(argument int) { return other%d(argument, %d) }\n", r.IntN(90), r.IntN(90), i)
	}
	for range n {
		at := r.IntN(len(old) - 200)
		b := bytes.Clone(old[at : at+1+r.IntN(200)])
		b[r.IntN(len(b))]++
		list = append(list, literal{Kind(r.IntN(2)), int64(at), b})
	}
	return old, append(list, literal{Text, -1, make([]byte, 3*Chunk/2)})
}

func size(list []literal) (n int64) {
	for _, l := range list {
		n += int64(len(l.bytes))
	}
	return n
}

// codeAll codes literals and returns them as they come out.
func codeAll(c *Coder, old []byte, list []literal) (all []byte, err error) {
	l := NewLiterals(c, size(list))
	l.Source(bytes.NewReader(old), int64(len(old)), 0)
	for _, x := range list {
		l.Begin(x.kind, x.address)
		b := make([]byte, len(x.bytes))
		if c.in == nil {
			copy(b, x.bytes)
		}
		for at := 0; at < len(b); at += Chunk {
			l.Code(b[at:min(at+Chunk, len(b))])
		}
		all = append(all, b...)
	}
	return all, l.Err()
}

func TestLiterals(t *testing.T) {
	old, list := editedText(500)
	for _, n := range []int{0, 1, 17, len(list)} {
		list := list[len(list)-n:]
		c := NewEncoder()
		want, err := codeAll(c, old, list)
		if err != nil {
			t.Fatal(err)
		}
		coded := c.Bytes()
		d := NewDecoder(bytes.NewReader(coded))
		got, err := codeAll(d, old, list)
		if err != nil || d.End() != nil || !bytes.Equal(got, want) {
			t.Errorf("%d literals come back as others (%v, %v)", n, err, d.End())
		}
	}
}

// TestGuide codes what the old version has in few bytes, and better than without.
func TestGuide(t *testing.T) {
	old, list := editedText(500)
	with, without := NewEncoder(), NewEncoder()
	for c, old := range map[*Coder][]byte{with: old, without: nil} {
		if _, err := codeAll(c, old, list); err != nil {
			t.Fatal(err)
		}
	}
	if with.Len() > 2*without.Len()/3 {
		t.Errorf("%d bytes with a guide, %d without", with.Len(), without.Len())
	}
}

// TestSameBytes holds the codec to the bytes that it made before: on any machine, for ever.
func TestSameBytes(t *testing.T) {
	old, list := editedText(300)
	c := NewEncoder()
	if _, err := codeAll(c, old, list); err != nil {
		t.Fatal(err)
	}
	numbers, err := Encode(numbers(20_000))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]struct {
		coded []byte
		want  string
	}{"literals": {c.Bytes(), "900351021c353322"}, "stream": {numbers, "6df1ab36b76e6d21"}} {
		sum := sha256.Sum256(v.coded)
		if got := hex.EncodeToString(sum[:8]); got != v.want {
			t.Errorf("%s: %d bytes with digest %s, want %s", name, len(v.coded), got, v.want)
		}
	}
}

// TestUnreadableOld tells that the old version cannot be read.
func TestUnreadableOld(t *testing.T) {
	l := NewLiterals(NewEncoder(), 10)
	l.Source(bytes.NewReader(nil), 1<<20, 0)
	l.Begin(Text, 5)
	if !errors.Is(l.Err(), io.EOF) {
		t.Errorf("got %v, want io.EOF", l.Err())
	}
}

func FuzzLiterals(f *testing.F) {
	f.Add([]byte("some old text"), []byte("some new text"), int64(5))
	f.Add(numbers(100), make([]byte, 300), int64(-1))
	f.Fuzz(func(t *testing.T, old, b []byte, at int64) {
		list := []literal{{Text, at, b}, {Binary, at / 2, b}}
		c := NewEncoder()
		want, err := codeAll(c, old, list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := codeAll(NewDecoder(bytes.NewReader(c.Bytes())), old, list)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("other bytes come back (%v)", err)
		}
		if _, err := codeAll(NewDecoder(bytes.NewReader(b)), old, list); err != nil { // hostile
			t.Fatal(err)
		}
	})
}

func BenchmarkLiterals(b *testing.B) {
	old, list := editedText(20_000)
	c := NewEncoder()
	if _, err := codeAll(c, old, list); err != nil {
		b.Fatal(err)
	}
	coded := c.Bytes()
	b.SetBytes(size(list))
	for b.Loop() {
		if _, err := codeAll(NewDecoder(bufio.NewReader(bytes.NewReader(coded))), old, list); err != nil {
			b.Fatal(err)
		}
	}
}
