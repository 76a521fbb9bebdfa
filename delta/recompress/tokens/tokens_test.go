package tokens

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// sample makes n bytes: words of a list, noise and repetitions.
func sample(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 3))
	var words [300][]byte
	for i := range words {
		for range 2 + r.IntN(9) {
			words[i] = append(words[i], byte('a'+r.IntN(26)))
		}
	}
	var b []byte
	for len(b) < n {
		switch r.IntN(50) {
		case 0:
			b = append(b, byte(r.Uint32()), byte(r.Uint32()))
		case 1:
			at := r.IntN(len(b) + 1)
			b = append(b, b[at:min(len(b), at+r.IntN(400))]...)
		default:
			b = append(b, words[r.IntN(1+r.IntN(len(words)))]...)
		}
	}
	return b[:n]
}

func deflate(t testing.TB, plain []byte, level int, flushes ...int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, next := range append(flushes, len(plain)) {
		if _, err := w.Write(plain[at:next]); err != nil {
			t.Fatal(err)
		}
		if at = next; at < len(plain) {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// restore makes the stream again, from plain bytes in pieces of odd sizes.
func restore(plain, differences []byte, model int) ([]byte, error) {
	var out bytes.Buffer
	w, err := NewWriter(&out, differences, model, int64(len(plain)))
	if err != nil {
		return nil, err
	}
	for len(plain) > 0 {
		n := min(len(plain), 7777)
		if _, err := w.Write(plain[:n]); err != nil {
			return nil, err
		}
		plain = plain[n:]
	}
	err = w.Close()
	return out.Bytes(), err
}

func TestRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 300, 70_000, 400_000} {
		plain := sample(size, 1)
		for level := flate.HuffmanOnly; level <= 9; level++ {
			packed := deflate(t, plain, level)
			for model := range Models() {
				if size > 70_000 && (level+model)%5 != 0 {
					continue
				}
				d, read, err := Encode(bytes.NewReader(packed), bytes.NewReader(plain), int64(size), model, 1<<20, 1<<40)
				if err != nil || read != int64(len(packed)) {
					t.Fatalf("size %d level %d model %d: read %d of %d bytes, %v", size, level, model, read, len(packed), err)
				}
				if got, err := restore(plain, d, model); err != nil || !bytes.Equal(got, packed) {
					t.Fatalf("size %d level %d model %d: another stream, %v", size, level, model, err)
				}
			}
		}
	}
}

// TestStored has flushes, empty blocks, stored blocks of noise, and blocks with the fixed trees.
func TestStored(t *testing.T) {
	plain := sample(100_000, 2)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range plain[20_000:90_000] {
		plain[20_000+i] = byte(r.Uint32())
	}
	packed := deflate(t, plain, 6, 10, 10, 20_000, 20_001, 90_000)
	d, _, err := Encode(bytes.NewReader(packed), bytes.NewReader(plain), int64(len(plain)), 5, 1<<20, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := restore(plain, d, 5); err != nil || !bytes.Equal(got, packed) {
		t.Fatalf("another stream, %v", err)
	}
}

// TestCost holds what differences cost for an encoder much like zlib.
func TestCost(t *testing.T) {
	plain := sample(500_000, 3)
	packed := deflate(t, plain, 6)
	d, _, err := Encode(bytes.NewReader(packed), bytes.NewReader(plain), int64(len(plain)), 5, 1<<20, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	if len(d)*50 > len(packed) {
		t.Errorf("%d bytes for a stream of %d", len(d), len(packed))
	}
	if _, _, err := Encode(bytes.NewReader(packed), bytes.NewReader(plain), int64(len(plain)), 0, 1000, 1<<40); !errors.Is(err, ErrCostly) {
		t.Errorf("got %v, want ErrCostly", err)
	}
}

func TestRefuses(t *testing.T) {
	plain := sample(30_000, 4)
	packed := deflate(t, plain, 6)
	for name, test := range map[string]struct {
		packed []byte
		size   int
	}{
		"cut": {packed[:len(packed)/2], len(plain)}, "empty": {nil, 0}, "reserved type": {[]byte{7}, 0},
		"more plain bytes": {packed, len(plain) - 1}, "fewer plain bytes": {packed, len(plain) + 1},
	} {
		if _, _, err := Encode(bytes.NewReader(test.packed), bytes.NewReader(append(plain, 'x')), int64(test.size), 5, 1<<20, 1<<40); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	d, _, err := Encode(bytes.NewReader(packed), bytes.NewReader(plain), int64(len(plain)), 5, 1<<20, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cut": d[:len(d)/2], "long": append(bytes.Clone(d), 0), "empty": nil} {
		if _, err := restore(plain, b, 5); err == nil {
			t.Errorf("differences %s: no error", name)
		}
	}
	if _, err := NewWriter(io.Discard, d, Models(), 1); err == nil {
		t.Error("a model that is not there")
	}
}
