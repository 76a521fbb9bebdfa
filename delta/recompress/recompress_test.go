package recompress

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// text makes n bytes that compress as source text does: words of a fixed list, now and then noise.
func text(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	words := make([][]byte, 500)
	for i := range words {
		w := make([]byte, 2+r.IntN(9))
		for j := range w {
			w[j] = byte('a' + r.IntN(26))
		}
		words[i] = append(w, ' ')
	}
	b := make([]byte, 0, n+16)
	for len(b) < n {
		switch {
		case r.IntN(40) == 0:
			b = append(b, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()))
		case r.IntN(200) == 0 && len(b) > 5000:
			at := len(b) - 1 - r.IntN(4999)
			b = append(b, b[at:min(len(b), at+r.IntN(900))]...)
		default:
			b = append(b, words[r.IntN(1+r.IntN(len(words)))]...)
		}
	}
	return b[:n]
}

// pack compresses plain with the writer that make returns.
func pack(t testing.TB, plain []byte, make func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := make(&b)
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

// roundTrip expands blob, finds its recipe, and makes the blob again from the recipe's byte form.
func roundTrip(t testing.TB, blob []byte) (plain []byte, r *Recipe) {
	t.Helper()
	var out bytes.Buffer
	if _, err := Expand(t.Context(), &out, bytes.NewReader(blob), 1<<30); err != nil {
		t.Fatalf("Expand: %v", err)
	}
	plain = out.Bytes()
	found, err := Find(t.Context(), bytes.NewReader(blob), int64(len(blob)), bytes.NewReader(plain), int64(len(plain)))
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	r, err = Parse(found.Marshal())
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	if !bytes.Equal(rebuild(t, r, plain), blob) {
		t.Fatalf("recipe %v makes another blob", r)
	}
	return plain, r
}

func rebuild(t testing.TB, r *Recipe, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := r.NewWriter(&out)
	for len(plain) > 0 { // odd pieces: the output must not depend on them
		n := min(len(plain), 33333)
		if _, err := w.Write(plain[:n]); err != nil {
			t.Fatal(err)
		}
		plain = plain[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sizes() []int {
	if testing.Short() {
		return []int{0, 100, 70_000}
	}
	return []int{0, 1, 100, 70_000, 300_000, 1_300_000}
}

func TestGoGzip(t *testing.T) {
	for _, size := range sizes() {
		for level := gzip.HuffmanOnly; level <= gzip.BestCompression; level++ {
			t.Run(fmt.Sprintf("size %d level %d", size, level), func(t *testing.T) {
				plain := text(size, 1)
				blob := pack(t, plain, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, level) })
				got, _ := roundTrip(t, blob)
				if !bytes.Equal(got, plain) {
					t.Error("expanded bytes differ")
				}
			})
		}
	}
}

func TestKlauspostGzip(t *testing.T) {
	for _, size := range sizes() {
		for level := kgzip.HuffmanOnly; level <= kgzip.BestCompression; level++ {
			t.Run(fmt.Sprintf("size %d level %d", size, level), func(t *testing.T) {
				roundTrip(t, pack(t, text(size, 2), func(w io.Writer) (io.WriteCloser, error) { return kgzip.NewWriterLevel(w, level) }))
			})
		}
	}
}

func TestPgzip(t *testing.T) {
	all := append(sizes(), 1<<20, 2<<20, 256<<10)
	if testing.Short() {
		all = []int{0, 100, 256 << 10, 1_100_000}
	}
	for _, size := range all {
		for _, block := range []int{1 << 20, 256 << 10} {
			for level := pgzip.HuffmanOnly; level <= pgzip.BestCompression; level++ {
				t.Run(fmt.Sprintf("size %d block %d level %d", size, block, level), func(t *testing.T) {
					roundTrip(t, pack(t, text(size, 3), func(w io.Writer) (io.WriteCloser, error) {
						z, err := pgzip.NewWriterLevel(w, level)
						if err != nil {
							return nil, err
						}
						return z, z.SetConcurrency(block, 2)
					}))
				})
			}
		}
	}
}

func TestKlauspostZstd(t *testing.T) {
	for _, size := range append(sizes(), 9_000_000) {
		for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
			t.Run(fmt.Sprintf("size %d %v", size, level), func(t *testing.T) {
				roundTrip(t, pack(t, text(size, 4), func(w io.Writer) (io.WriteCloser, error) {
					return zstd.NewWriter(w, zstd.WithEncoderLevel(level))
				}))
			})
		}
	}
}

func TestHeaderFields(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Name, z.Comment, z.Extra, z.OS, z.ModTime = "layer.tar", "made by hand", []byte("xy"), 3, time.Unix(1e9, 0)
	if _, err := z.Write(text(1000, 5)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, b.Bytes())
}

func TestSeveralMembers(t *testing.T) {
	var b bytes.Buffer
	var want []byte
	for i := range 20 {
		plain := text(i*1000, uint64(i))
		want = append(want, plain...)
		b.Write(pack(t, plain, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, 1+i%9) }))
	}
	b.Write(make([]byte, 700)) // trailing zeros
	if got, _ := roundTrip(t, b.Bytes()); !bytes.Equal(got, want) {
		t.Error("expanded bytes differ")
	}
}

func TestZstdChunked(t *testing.T) {
	skippable := append([]byte{0x53, 0x2a, 0x4d, 0x18, 9, 0, 0, 0}, "the index"...)
	var b bytes.Buffer
	for i := range 5 {
		b.Write(pack(t, text(i*50_000, 6), func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }))
		b.Write(skippable)
	}
	roundTrip(t, b.Bytes())
}

func TestPlain(t *testing.T) {
	for _, blob := range [][]byte{{}, []byte("x"), text(100_000, 7), make([]byte, 10240)} {
		plain, r := roundTrip(t, blob)
		if !bytes.Equal(plain, blob) || r.String() != "plain" {
			t.Errorf("%d plain bytes: recipe %v", len(blob), r)
		}
	}
}

// TestCPrograms meets streams of Debian's gzip, of pigz and of zlib itself.
func TestCPrograms(t *testing.T) {
	python := "import sys, zlib, gzip; d = sys.stdin.buffer.read(); z = zlib.compressobj(%d, 8, 31); sys.stdout.buffer.write(z.compress(d) + z.flush())"
	all := []int{0, 1, 2, 5, 1000, 131_072, 131_073, 900_000}
	if testing.Short() {
		all = []int{1, 5, 131_073}
	}
	for _, size := range all {
		plain := text(size, 10)
		for level := 1; level <= 9; level++ {
			for _, args := range [][]string{{"gzip", "-n", fmt.Sprintf("-%d", level)}, {"pigz", "-n", "-p", "4", fmt.Sprintf("-%d", level)}, {"python3", "-c", fmt.Sprintf(python, level)}} {
				cmd := exec.CommandContext(t.Context(), testtools.Tool(t, args[0], args[0]), args[1:]...)
				cmd.Stdin = bytes.NewReader(plain)
				blob, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %v", args, err)
				}
				t.Run(fmt.Sprintf("%s size %d level %d", args[0], size, level), func(t *testing.T) { roundTrip(t, blob) })
			}
		}
	}
}

// TestPrograms meets what other programs write: either there is a recipe or the answer is ErrNoRecipe.
func TestPrograms(t *testing.T) {
	plain := text(700_000, 8)
	for _, args := range [][]string{{"zstd", "-19", "-c"}, {"zstd", "--fast", "-c"}} {
		cmd := exec.CommandContext(t.Context(), testtools.Tool(t, args[0], args[0]), args[1:]...)
		cmd.Stdin = bytes.NewReader(plain)
		blob, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := Expand(t.Context(), &out, bytes.NewReader(blob), 1<<30); err != nil || !bytes.Equal(out.Bytes(), plain) {
			t.Fatalf("%v: Expand: %v", args, err)
		}
		_, err = Find(t.Context(), bytes.NewReader(blob), int64(len(blob)), bytes.NewReader(plain), int64(len(plain)))
		if !errors.Is(err, ErrNoRecipe) {
			t.Errorf("%v: got %v, want ErrNoRecipe", args, err)
		}
	}
}

func TestExpandRefuses(t *testing.T) {
	good := pack(t, text(50_000, 9), func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	frame := pack(t, text(50_000, 9), func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	flipped := bytes.Clone(good)
	flipped[len(flipped)-5] ^= 1
	for _, test := range []struct {
		name   string
		blob   []byte
		limit  int64
		reason string
	}{
		{"gzip cut in its data", good[:len(good)/2], 1 << 20, "truncated"},
		{"gzip cut in its trailer", good[:len(good)-3], 1 << 20, "truncated"},
		{"gzip cut in its header", good[:7], 1 << 20, "truncated"},
		{"gzip with a wrong checksum", flipped, 1 << 20, "format"},
		{"gzip with something after it", append(bytes.Clone(good), "more"...), 1 << 20, "format"},
		{"gzip of more bytes than allowed", good, 49_999, "format"},
		{"zstd cut in its data", frame[:len(frame)/2], 1 << 20, "truncated"},
		{"zstd of more bytes than allowed", frame, 49_999, "format"},
		{"zstd with something after it", append(bytes.Clone(frame), "more"...), 1 << 20, "format"},
		{"plain of more bytes than allowed", text(1000, 9), 999, "format"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			n, err := Expand(t.Context(), &out, bytes.NewReader(test.blob), test.limit)
			var ours *Error
			if !errors.As(err, &ours) || ours.Reason() != test.reason {
				t.Errorf("got %v, want an error of reason %q", err, test.reason)
			}
			if n != int64(out.Len()) || n > test.limit {
				t.Errorf("wrote %d bytes, told %d, allowed %d", out.Len(), n, test.limit)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Expand(ctx, io.Discard, bytes.NewReader(text(100, 1)), 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
