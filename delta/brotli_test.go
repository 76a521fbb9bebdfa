package delta

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/andybalholm/brotli"
)

// brotliSamples are contents that Brotli codes in different ways.
func brotliSamples(t testing.TB) [][]byte {
	t.Helper()
	noise := make([]byte, 70000)
	r := rand.New(rand.NewPCG(3, 3))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := bytes.Repeat([]byte("function of(the, text) { return words[in, it]; }\n"), 3000)
	return [][]byte{nil, []byte("a"), text, noise, append(text[:1000:1000], noise[:5000]...)}
}

func TestBrotli(t *testing.T) {
	for _, want := range brotliSamples(t) {
		packed, err := packBrotli(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(newBrotliReader(bytes.NewReader(packed)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes became %d: %v", len(want), len(got), err)
		}
		for _, cut := range []int{0, len(packed) / 2, len(packed) - 1} {
			if _, err := io.ReadAll(newBrotliReader(bytes.NewReader(packed[:cut]))); reason(err) != "truncated" {
				t.Errorf("%d of %d bytes: %v", cut, len(packed), err)
			}
		}
		if _, err := io.ReadAll(newBrotliReader(bytes.NewReader(append(packed, 0)))); reason(err) != "format" {
			t.Errorf("a byte behind the end: %v", err)
		}
	}
}

// TestBrotliWindow refuses windows that take more memory than a site has.
func TestBrotliWindow(t *testing.T) {
	for window := 10; window <= 24; window++ {
		var packed bytes.Buffer
		w := brotli.NewWriterOptions(&packed, brotli.WriterOptions{LGWin: window, Quality: 1})
		for range 6 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := io.Copy(io.Discard, newBrotliReader(&packed))
		if refused := reason(err) == "format"; refused != (window > maxBrotliBits) || !refused && err != nil {
			t.Errorf("a window of 2^%d: %v", window, err)
		}
	}
}

// FuzzBrotli reads streams that may be anything: what comes out ends, and errors have a reason.
func FuzzBrotli(f *testing.F) {
	for _, sample := range brotliSamples(f) {
		packed, err := packBrotli(sample)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
		var quick bytes.Buffer
		w := brotli.NewWriterLevel(&quick, 2)
		if _, err := w.Write(sample); err != nil || w.Close() != nil {
			f.Fatal("a sample cannot be packed")
		}
		f.Add(quick.Bytes())
	}
	f.Add([]byte{0x11, 0x16, 0, 0}) // a large window, which RFC 7932 does not have
	f.Fuzz(func(t *testing.T, packed []byte) {
		_, err := io.Copy(io.Discard, io.LimitReader(newBrotliReader(bytes.NewReader(packed)), 1<<22))
		if err != nil && reason(err) == "" {
			t.Errorf("no reason: %v", err)
		}
	})
}
