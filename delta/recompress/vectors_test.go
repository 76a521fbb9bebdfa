package recompress

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/delta/recompress/czstd"
)

// vectorSample is what the real encoders were given: text, zeros, noise, and numbers that resemble a
// program's tables.
func vectorSample() []byte {
	r := rand.New(rand.NewPCG(27, 27))
	b := text(1_300_000, 26)
	b = append(b, make([]byte, 200_000)...)
	for range 150_000 {
		b = append(b, byte(r.Uint32()))
	}
	for n := uint32(0); n < 400_000; n += 8 {
		b = append(b, byte(n), byte(n>>8), byte(n>>16), 0, 0xe8, byte(r.IntN(1+r.IntN(256))), byte(r.IntN(4)), 0)
	}
	return append(b, text(900_000, 28)...)
}

// missed tells the streams of real encoders that none of ours makes: zstd's of before 1.14, and of its
// two slow levels of before 1.17.8; of klauspost's older flates the levels that no builder has by default and
// few ask for, and all of 1.11.13 and 1.12.2; of the C library what is older than 1.4.5.
func missed(kind, version, level string) bool {
	old := "v1.11.3 v1.11.7 v1.11.13 v1.12.2 v1.12.3 v1.13.1 v1.13.6"
	to1177 := " v1.14.2 v1.14.4 v1.15.0 v1.15.1 v1.15.2 v1.15.9 v1.15.11 v1.15.12 v1.15.15 v1.16.4 v1.16.6 v1.16.7 v1.17.2 v1.17.3 v1.17.4 v1.17.7"
	switch {
	case strings.HasPrefix(kind, "libzstd"):
		old = "v1.4.1"
	case kind == "zstd" && (level == "3" || level == "4"):
		old += to1177
	case kind == "go" || kind == "jib":
		return false
	case kind != "zstd" && slices.Contains([]string{"0", "1", "5", "6"}, level):
		old = "v1.11.13 v1.12.2"
	case kind != "zstd":
		old += to1177 + " v1.17.11 v1.18.0"
	}
	return slices.Contains(strings.Fields(old), version)
}

// TestVectors compares the frozen encoders with the digests of what the real ones made, which
// testdata/make-vectors collects. With SAMPLE in the environment it writes the sample to that file.
func TestVectors(t *testing.T) {
	sample := vectorSample()
	if name := os.Getenv("SAMPLE"); name != "" {
		if err := os.WriteFile(name, sample, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(filepath.Join("testdata", "vectors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	made := digests(t, sample)
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var kind, version, level, digest string
		if _, err := fmt.Sscan(s.Text(), &kind, &version, &level, &digest); err != nil {
			t.Fatal(err)
		}
		by, ok := made[digest]
		if want := missed(kind, version, level); ok == want {
			t.Errorf("%s of %s, level %s: made by %q", kind, version, level, by)
		}
		t.Logf("%-14s %-9s %2s: %s", kind, version, level, by)
	}
	if lines < 300 {
		t.Errorf("%d vectors", lines)
	}
}

// libzstdCalls are the C library's generations in the ways in which make-vectors calls it: like the command
// line for a file and for a pipe, like bsdtar, and for all at once.
func libzstdCalls() []encoder {
	var list []encoder
	for _, v := range libzstdVersions {
		for level := int8(1); level <= 3; level++ {
			for _, block := range []int32{
				int32(czstd.Jobs) | libzstdStated | libzstdChecksum,
				int32(czstd.Jobs) | libzstdChecksum | libzstdLate,
				int32(czstd.Stream) | libzstdLate,
				int32(czstd.Whole) | libzstdStated,
			} {
				list = append(list, encoder{family: v.family, level: level, block: block})
			}
		}
	}
	return list
}

// digests maps what our encoders make of the sample to their names.
func digests(t *testing.T, sample []byte) map[string]string {
	t.Helper()
	made := map[string]string{}
	h := hint{os: osUnknown, blocks: []int32{0, defaultBlock}}
	none := &finder{blob: bytes.NewReader(nil)}
	for _, e := range slices.Concat(deflateEncoders(h), none.zstdEncoders(segment{stated: true}, 0), libzstdCalls()) {
		sum := sha256.New()
		w, err := e.newWriter(sum, int64(len(sample)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, bytes.NewReader(sample)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		made[hex.EncodeToString(sum.Sum(nil))] = e.String()
	}
	return made
}
