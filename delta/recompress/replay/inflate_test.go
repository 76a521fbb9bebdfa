package replay

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// storage keeps a log in memory.
type storage struct{ bytes.Buffer }

func (s *storage) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(s.Bytes()).ReadAt(p, at)
}

// sample makes n bytes: words, repeats near and far, and noise.
func sample(n int, r *rand.Rand) []byte {
	b := make([]byte, 0, n+70_000)
	for len(b) < n {
		switch r.IntN(4) {
		case 0:
			for range r.IntN(300) {
				b = append(b, byte(r.Uint32()))
			}
		case 1:
			b = append(b, bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(700))...)
		default:
			if len(b) > 0 {
				from := max(0, len(b)-1-r.IntN(40_000))
				b = append(b, b[from:min(len(b), from+r.IntN(400))]...)
			}
			b = append(b, "some words"[:r.IntN(10)]...)
		}
	}
	return b[:n]
}

func pack(t testing.TB, plain []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInflate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var f Inflater
	for _, size := range []int{0, 1, 100, 70_000, 1_000_000} {
		plain := sample(size, r)
		for level := flate.HuffmanOnly; level <= 9; level++ {
			blob := append(pack(t, plain, level), "next"...)
			var got bytes.Buffer
			log := NewLog(&storage{}, 1<<30)
			in := bufio.NewReaderSize(bytes.NewReader(blob), 100)
			n, err := f.Inflate(&got, in, log)
			if err != nil || n != int64(size) || !bytes.Equal(got.Bytes(), plain) {
				t.Fatalf("level %d, %d bytes: %d other ones, %v", level, size, n, err)
			}
			if rest, _ := io.ReadAll(in); string(rest) != "next" {
				t.Fatalf("level %d: leaves %q", level, rest)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			if again := rebuild(t, log, plain); !bytes.Equal(again, plain) {
				t.Fatalf("level %d, %d bytes: the tokens make other bytes", level, size)
			}
		}
	}
}

// rebuild makes plain bytes out of tokens, and out of the literals that are not in them.
func rebuild(t *testing.T, log *Log, plain []byte) []byte {
	t.Helper()
	c := cursor{log: log}
	var b []byte
	for {
		r, ok := c.peek(0)
		if !ok {
			return b
		}
		if r.literals() == noMatch {
			b = append(b, plain[len(b):len(b)+r.plain()]...)
		} else {
			b = append(b, plain[len(b):len(b)+r.literals()]...)
			for range r.length() {
				b = append(b, b[len(b)-r.distance()])
			}
		}
		c.take(r)
	}
}

func TestInflateCutOff(t *testing.T) {
	plain := sample(3000, rand.New(rand.NewPCG(2, 2)))
	for _, level := range []int{flate.NoCompression, flate.HuffmanOnly, 6} {
		blob := pack(t, plain, level)
		for n := range blob {
			var f Inflater
			_, err := f.Inflate(io.Discard, bufio.NewReader(bytes.NewReader(blob[:n])), &Log{})
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("level %d, %d bytes of %d: %v", level, n, len(blob), err)
			}
		}
	}
}

// FuzzInflate holds the inflater to the standard library's.
func FuzzInflate(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 3))
	for level := flate.HuffmanOnly; level <= 9; level++ {
		f.Add(pack(f, sample(2000, r), level))
	}
	f.Add([]byte{3, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		reader := bytes.NewReader(b)
		want, wantErr := io.ReadAll(flate.NewReader(reader))
		var got bytes.Buffer
		var i Inflater
		log := NewLog(&storage{}, 1<<20)
		in := bufio.NewReader(bytes.NewReader(b))
		_, err := i.Inflate(&got, in, log)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("ends with %v instead of %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if rest, _ := io.ReadAll(in); !bytes.Equal(got.Bytes(), want) || len(rest) != reader.Len() {
			t.Fatal("makes other bytes")
		}
	})
}
