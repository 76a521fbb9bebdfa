package mix

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

func decode(t testing.TB, coded []byte, size int) []byte {
	t.Helper()
	r, err := NewReader(bytes.NewReader(coded), size)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// numbers makes n bytes that look like a patch's.
func numbers(n int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(1 + r.IntN(1+r.IntN(256))))
		if i > 4 && r.IntN(3) == 0 {
			b[i] = b[i-4]
		}
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	for _, plain := range [][]byte{{}, {0}, {255, 255, 255}, make([]byte, 10_000), numbers(100), numbers(300_000)} {
		coded, err := Encode(plain)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, coded, len(plain)); !bytes.Equal(got, plain) {
			t.Errorf("%d bytes come back as %d others", len(plain), len(got))
		}
	}
}

func TestRefuses(t *testing.T) {
	coded, err := Encode(numbers(1000))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cut": coded[:len(coded)/2], "empty": nil} {
		r, err := NewReader(bytes.NewReader(b), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v, want io.ErrUnexpectedEOF", name, err)
		}
	}
	if _, err := NewReader(bytes.NewReader(nil), MaxSize+1); err == nil {
		t.Error("a stream above the limit is taken")
	}
	if _, err := Encode(make([]byte, MaxSize+1)); err == nil {
		t.Error("a stream above the limit is coded")
	}
}

func FuzzMix(f *testing.F) {
	f.Add([]byte("some text, some more text"))
	f.Add(numbers(500))
	f.Fuzz(func(t *testing.T, b []byte) {
		coded, err := Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(decode(t, coded, len(b)), b) {
			t.Fatal("other bytes come back")
		}
		r, err := NewReader(bytes.NewReader(b), 1000) // hostile
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(r); len(got) > 1000 {
			t.Fatalf("%d bytes of 1000", len(got))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	plain := numbers(1 << 20)
	coded, err := Encode(plain)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		decode(b, coded, len(plain))
	}
}
