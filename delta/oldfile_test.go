package delta

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math/rand/v2"
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

// TestForeignTokens applies patches that claim, falsely, that the recipe's encoder decides as the old's
// encoder did: the blob's size or its digest tells wherever that led to other bytes.
func TestForeignTokens(t *testing.T) {
	var before []byte
	words := bytes.Fields(randomText(7, 3000))
	for r := rand.New(rand.NewPCG(8, 8)); len(before) < 1_000_000; {
		before = append(append(before, words[r.IntN(1+r.IntN(len(words)))]...), ' ')
	}
	after := bytes.Clone(before)
	copy(after[1_000:], "another version")
	is := gzipped(t, after)
	var patch bytes.Buffer
	if _, err := Diff(t.Context(), &patch, bytes.NewReader(is), int64(len(is)), []Old{old(before)}, Options{}); err != nil {
		t.Fatal(err)
	}
	claim := claimTokens(t, patch.Bytes())
	for _, level := range []int{gzip.HuffmanOnly, gzip.NoCompression, gzip.BestSpeed, 4, 5} {
		var was bytes.Buffer
		z, err := gzip.NewWriterLevel(&was, level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(before); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		o, err := ExpandOld(t.Context(), &was, int64(len(before)), t.TempDir(), 16<<20)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		err = Apply(t.Context(), &got, bytes.NewReader(claim), []Old{o.Old}, Limits{Size: int64(len(is))})
		wrong := reason(err) == "digest" || reason(err) == "format"
		if want := level > gzip.NoCompression; wrong != want || !want && err != nil { // without matches there is nothing to take over
			t.Errorf("level %d: got %v", level, err)
		}
		if got.Len() > len(is) || !wrong && !bytes.Equal(got.Bytes(), is) {
			t.Errorf("level %d: makes %d bytes of %d", level, got.Len(), len(is))
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// claimTokens returns a patch of one old with the claim that the old's tokens hold.
func claimTokens(t *testing.T, patch []byte) []byte {
	t.Helper()
	h, err := readHeader(bufio.NewReader(bytes.NewReader(patch)))
	if err != nil {
		t.Fatal(err)
	}
	entry := binary.AppendUvarint([]byte{1}, uint64(h.olds[0].size))
	at := bytes.Index(patch, append(entry, h.olds[0].digest[:]...))
	if at < 0 || h.olds[0].tokens {
		t.Fatal("the patch has no old without tokens")
	}
	patch = bytes.Clone(patch)
	patch[at] = 2
	return patch
}
