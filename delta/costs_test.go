package delta

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// tarOf makes a tar of files in their order: names and contents in turn.
func tarOf(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMemberCosts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.IntN(256))
		}
		return string(b)
	}
	var prose strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&prose, "line %d says %x\n", i, random.Uint64())
	}
	text, still, binary := prose.String(), noise(20000), noise(30000)
	lines := strings.SplitAfter(text, "\n")
	lines[700] = noiseLine(random, 1)
	lines[1900] = noiseLine(random, 2)
	altered := []byte(binary)
	for i := 5000; i < 5040; i += 4 {
		altered[i] ^= 0x5a
	}
	was := tarOf(t, "a/still", still, "a/text", text, "a/binary", binary)
	now := tarOf(t, "a/still", still, "a/text", strings.Join(lines, ""), "a/new", noise(5000), "a/binary", string(altered))
	var patch bytes.Buffer
	res, err := Diff(t.Context(), &patch, bytes.NewReader(now), int64(len(now)), []Old{old(was)}, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]MemberCost{}
	var sum int64
	for i, m := range res.Members {
		found[m.Name] = m
		sum += m.Bytes
		if i > 0 && m.Bytes > res.Members[i-1].Bytes {
			t.Error("a dearer entry comes later")
		}
	}
	if res.Members[0].Name != "a/new" || res.Members[0].Size != 5000 || res.Members[0].Bytes < 4900 {
		t.Errorf("the dearest is %+v", res.Members[0])
	}
	for name, want := range map[string]string{"a/new": "new file", "a/text": "2 changed lines", "a/binary": "10 changed bytes"} {
		if got := found[name].Why; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, charged := found["a/still"]; charged && found["a/still"].Bytes > 20 {
		t.Errorf("a file that did not change costs %d bytes", found["a/still"].Bytes)
	}
	if sum > res.Size || sum < res.Size/2 {
		t.Errorf("the entries cost %d of %d bytes", sum, res.Size)
	}
}

func noiseLine(random *rand.Rand, n int) string {
	return fmt.Sprintf("quite another line, the %d. of them, with %x\n", n, random.Uint64())
}

func TestShare(t *testing.T) {
	for _, c := range []struct{ n, part, whole, want int64 }{
		{100, 0, 10, 0}, {100, 10, 10, 100}, {100, 3, 10, 30}, {1 << 40, 1 << 39, 1 << 40, 1 << 39}, {7, 1, 2, 3}, {0, 1, 2, 0}, {5, 0, 0, 0},
	} {
		if got := share(c.n, c.part, c.whole); got != c.want {
			t.Errorf("%d/%d of %d is %d, want %d", c.part, c.whole, c.n, got, c.want)
		}
	}
}
