package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestLargeHeadIsPAX holds what stands before a body of more than 8 GiB against the standard library's PAX writer, and lets
// its reader find the name and the size.
func TestLargeHeadIsPAX(t *testing.T) {
	for _, size := range []int64{MaxBlobSize + 1, 9_999_999_999, 10_000_000_000, MaxPartSize} {
		name := blobName(digest.FromString("x"))
		var want bytes.Buffer
		err := tar.NewWriter(&want).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, Format: tar.FormatPAX})
		if err != nil {
			t.Fatal(err)
		}
		got := makeHead(name, size)
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("size %d: what stands before the body differs from archive/tar's at byte %d", size, firstDifference(got, want.Bytes()))
		}
		h, err := tar.NewReader(bytes.NewReader(got)).Next()
		if err != nil || h.Name != name || h.Size != size {
			t.Errorf("size %d: archive/tar reads %+v, %v", size, h, err)
		}
		if n := entrySize(size); n != int64(len(got))+size+padding(size) {
			t.Errorf("an entry of %d bytes takes %d", size, n)
		}
	}
}

// pattern is endless bytes from nowhere.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

// TestReaderTakesOneLargeHeadOnly reads the head of an entry of more than 8 GiB, whose body nobody writes down.
func TestReaderTakesOneLargeHeadOnly(t *testing.T) {
	const size = MaxBlobSize + 1
	d := digest.FromString("x")
	head := makeHead(blobName(d), size)
	other := makeHead(blobName(digest.FromString("y")), size)
	for name, test := range map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"as it is":        {func(b []byte) []byte { return b }, ""},
		"another's":       {func([]byte) []byte { return other }, "stands where"},
		"another size":    {func([]byte) []byte { return makeHead(blobName(d), size+1) }, "damaged"},
		"without PAX":     {func([]byte) []byte { return makeHeader(blobName(d), 0)[:] }, "tells another size"},
		"a record more":   {func(b []byte) []byte { return bytes.Replace(b, []byte("\n\x00"), []byte("\n0"), 1) }, "damaged"},
		"a size as octal": {func(b []byte) []byte { return append(b[:2*blockSize:2*blockSize], makeHeader(blobName(d), 7)[:]...) }, "tells another size"},
		"cut":             {func(b []byte) []byte { return b[:2*blockSize] }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := io.MultiReader(bytes.NewReader(test.change(bytes.Clone(head))), io.LimitReader(pattern{}, 1<<20))
			r := &Reader{src: newSource(in)}
			r.layers = append(r.layers, Part{}.Desc)
			r.layers[0].Digest, r.layers[0].Size = d, size
			e, err := r.Next()
			switch {
			case test.want == "" && name != "cut":
				if err != nil {
					t.Fatal(err)
				}
				n, err := io.Copy(io.Discard, e)
				var fault *Error
				if n != 1<<20 || !errors.As(err, &fault) || fault.Reason() != "truncated" {
					t.Errorf("after %d bytes: %v", n, err)
				}
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
