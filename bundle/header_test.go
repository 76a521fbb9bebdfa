package bundle

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/opencontainers/go-digest"
)

// The standard library's USTAR writer is a second opinion on the header's one form.
func TestHeaderIsUSTAR(t *testing.T) {
	for _, size := range []int64{0, 1, 511, 512, 513, 1<<31 - 1, 1 << 31, MaxBlobSize} {
		name := blobName(digest.FromString("x"))
		var want bytes.Buffer
		err := tar.NewWriter(&want).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, Format: tar.FormatUSTAR})
		if err != nil {
			t.Fatal(err)
		}
		got := makeHeader(name, size)
		if !bytes.Equal(got[:], want.Bytes()) {
			t.Errorf("size %d: the header differs from archive/tar's at byte %d", size, firstDifference(got[:], want.Bytes()))
		}
		if n, err := got.size(); err != nil || n != size {
			t.Errorf("size of the header of %d bytes: %d, %v", size, n, err)
		}
		if n, ok := got.describe(); !ok || n != name {
			t.Errorf("name of the header: %q, %v", n, ok)
		}
	}
}

func TestEntrySize(t *testing.T) {
	for size, want := range map[int64]int64{0: 512, 1: 1024, 511: 1024, 512: 1024, 513: 1536, MaxBlobSize: 512 + 1<<33} {
		if got := entrySize(size); got != want {
			t.Errorf("an entry of %d bytes takes %d, want %d", size, got, want)
		}
	}
}

// What is read from a header that is not ours only makes messages; it must never panic, and a header whose own name and
// size make the same header is well formed.
func FuzzHeader(f *testing.F) {
	f.Add(makeHeader(nameIndex, 7)[:])
	f.Add(make([]byte, blockSize))
	f.Add(bytes.Repeat([]byte{0xff}, blockSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h header
		copy(h[:], b)
		name, ok := h.describe()
		size, err := h.size()
		if !ok || err != nil || len(name) > lenName || size > MaxBlobSize {
			return
		}
		if again := makeHeader(name, size); *again == h {
			if n, ok := again.describe(); !ok || n != name {
				t.Errorf("the header of %q tells the name %q", name, n)
			}
		}
	})
}
