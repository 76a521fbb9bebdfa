package czstd

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

var layouts = map[string]Layout{"st": Stream, "mt": Jobs, "one": Whole}

// versions are the generations by the versions that TestVectors knows.
var versions = map[string]Version{"1.4.5": V145, "1.5.0": V148, "1.5.2": V152, "1.5.5": V154, "1.5.6": V154, "1.5.7": V157}

// sample is what the library was given: words, zeros, noise, numbers that resemble a program's tables, and some
// of it again from near and far. It is longer than a job of level 3, and than its window several times.
func sample() []byte {
	r := rand.New(rand.NewPCG(3, 15))
	var b []byte
	for len(b) < 11<<20 {
		n := 1 + r.IntN(1<<(6+r.IntN(13)))
		switch r.IntN(7) {
		case 0:
			b = append(b, make([]byte, n)...)
		case 1:
			b = noise(b, r, n/2)
		case 2, 3:
			for range n / 7 {
				b = fmt.Appendf(b, "%x ", r.Uint64N(3000)*r.Uint64N(20))
			}
		case 4:
			for i := range n / 8 {
				b = append(b, byte(i), byte(i>>8), 0, 0xe8, byte(r.IntN(1+r.IntN(256))), byte(r.IntN(4)), 0, 0)
			}
		default:
			if n = min(n, len(b)); n > 0 {
				at := max(0, len(b)-n-r.IntN(3<<20))
				b = append(b, b[at:at+n]...)
			}
		}
	}
	return b
}

func noise(b []byte, r *rand.Rand, n int) []byte {
	for range n {
		b = append(b, byte(r.Uint32()))
	}
	return b
}

// pack compresses in pieces of some size.
func pack(t *testing.T, plain []byte, o Options, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, o, int64(len(plain)))
	if err != nil {
		t.Fatal(err)
	}
	for rest := plain; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
		if _, err := w.Write(rest[:min(piece, len(rest))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestVectors compares with the digests of what the library made, which testdata/make-vectors collects. With
// SAMPLE in the environment it writes the sample to that file.
func TestVectors(t *testing.T) {
	plain := sample()
	if name := os.Getenv("SAMPLE"); name != "" {
		if err := os.WriteFile(name, plain, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(filepath.Join("testdata", "vectors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var version, layout, want string
		var level, stated, checksum, late int
		if _, err := fmt.Sscan(s.Text(), &version, &level, &layout, &stated, &checksum, &late, &want); err != nil {
			t.Fatal(err)
		}
		if testing.Short() && level != 3 {
			continue
		}
		o := Options{Version: versions[version], Level: level, Layout: layouts[layout], Stated: stated == 1, Checksum: checksum == 1, Late: late == 1}
		sum := sha256.Sum256(pack(t, plain, o, 300_000))
		if hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s: differs", s.Text())
		}
	}
	if lines < 120 {
		t.Errorf("%d vectors", lines)
	}
}
