package delta

import (
	"bufio"
	"bytes"
	"os"
	"testing"
)

// TestOldFile restores a blob with and without what is known of how the old one was compressed.
func TestOldFile(t *testing.T) {
	before := randomText(7, 700_000)
	after := bytes.Clone(before)
	copy(after[1000:], "another version")
	was, is := gzipped(t, before), gzipped(t, after)
	for _, room := range []int64{0, 1 << 20} {
		dir := t.TempDir()
		o, err := ExpandOld(t.Context(), bytes.NewReader(was), int64(len(before)), dir, room)
		if err != nil {
			t.Fatal(err)
		}
		if o.Size != int64(len(before)) || (o.Tokens.Size() > 0) != (room > 0) {
			t.Fatalf("room for %d: %d plain bytes, %d of tokens", room, o.Size, o.Tokens.Size())
		}
		var patch, got bytes.Buffer
		if _, err := Diff(t.Context(), &patch, bytes.NewReader(is), int64(len(is)), []Old{o.Old}, Options{}); err != nil {
			t.Fatal(err)
		}
		h, err := readHeader(bufio.NewReader(bytes.NewReader(patch.Bytes())))
		if err != nil {
			t.Fatal(err)
		}
		if h.olds[0].tokens != (room > 0) {
			t.Errorf("room for %d: the patch says %v about tokens", room, h.olds[0].tokens)
		}
		for _, old := range []Old{o.Old, old(before)} {
			got.Reset()
			if err := Apply(t.Context(), &got, bytes.NewReader(patch.Bytes()), []Old{old}, Limits{Size: int64(len(is))}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), is) {
				t.Error("makes other bytes")
			}
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("leaves %v", left)
		}
	}
}

// TestExpandOldFails leaves nothing behind.
func TestExpandOldFails(t *testing.T) {
	dir := t.TempDir()
	blob := gzipped(t, make([]byte, 100_000))
	for name, test := range map[string]struct {
		blob  []byte
		limit int64
	}{"cut off": {blob[:len(blob)/2], 1 << 20}, "larger than allowed": {blob, 99_999}} {
		if _, err := ExpandOld(t.Context(), bytes.NewReader(test.blob), test.limit, dir, 1<<20); err == nil {
			t.Errorf("%s: expands", name)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("leaves %v", left)
	}
}
