package recompress

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// seeds are small blobs of every kind.
func seeds(f *testing.F) [][]byte {
	zeros := make([]byte, 40)
	one := pack(f, text(300, 1), func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	frame := pack(f, text(300, 1), func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	c := encoder{family: familyLibzstd157, level: 3, block: libzstdStated | libzstdChecksum}
	libzstd := pack(f, text(300, 1), func(w io.Writer) (io.WriteCloser, error) { return c.newWriter(w, 300) })
	return [][]byte{{}, []byte("plain"), libzstd, one, append(bytes.Clone(one), one...), append(bytes.Clone(one), zeros...), frame, append(bytes.Clone(frame), frame...)}
}

// FuzzExpand feeds any blob: it expands within its limit, and where there is a recipe the blob comes
// back.
func FuzzExpand(f *testing.F) {
	for _, blob := range seeds(f) {
		f.Add(blob)
	}
	const limit = 1 << 20
	f.Fuzz(func(t *testing.T, blob []byte) {
		var plain bytes.Buffer
		n, err := Expand(t.Context(), &plain, bytes.NewReader(blob), limit)
		if n > limit || n != int64(plain.Len()) {
			t.Fatalf("%d bytes written, %d told, %d allowed", plain.Len(), n, limit)
		}
		if err != nil {
			var ours *Error
			if !errors.As(err, &ours) {
				t.Fatalf("error without a reason: %v", err)
			}
			return
		}
		r, err := Find(t.Context(), bytes.NewReader(blob), int64(len(blob)), bytes.NewReader(plain.Bytes()), n)
		if errors.Is(err, ErrNoRecipe) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(rebuild(t, r, plain.Bytes()), blob) {
			t.Fatal("the recipe makes another blob")
		}
	})
}

// FuzzParse feeds any recipe: it has one byte form, and makes no more of its plain bytes than it says.
func FuzzParse(f *testing.F) {
	for _, blob := range seeds(f) {
		var plain bytes.Buffer
		n, err := Expand(f.Context(), &plain, bytes.NewReader(blob), 1<<20)
		if err != nil {
			f.Fatal(err)
		}
		r, err := Find(f.Context(), bytes.NewReader(blob), int64(len(blob)), bytes.NewReader(plain.Bytes()), n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Marshal(), b) {
			t.Fatal("recipe has two byte forms")
		}
		if r.PlainSize() > 128<<10 || len(r.parts) > 100 { // some encoders take a second for a MiB of zeros
			return
		}
		w := r.NewWriter(io.Discard)
		if _, err := w.Write(make([]byte, r.PlainSize())); err == nil {
			_ = w.Close()
		}
	})
}
