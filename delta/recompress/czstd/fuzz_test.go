package czstd

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// FuzzWriter compresses anything in any way: nothing panics, and what comes out decodes to what went in.
func FuzzWriter(f *testing.F) {
	plain := sample()
	for i, n := range []int{0, 1, 7, 100, 5000, 70_000, 140_000} {
		f.Add(plain[i*n:(i+1)*n], byte(i), byte(3*i), uint32(i*n))
	}
	f.Fuzz(func(t *testing.T, piece []byte, version, how byte, repeat uint32) {
		o := Options{
			Version: Version(version % 5), Level: 1 + int(how&3), Layout: Layout(how >> 2 % 3),
			Stated: how&16 != 0, Checksum: how&32 != 0, Late: how&64 != 0,
		}
		plain := bytes.Repeat(piece, 1+int(repeat%256))
		plain = plain[:min(len(plain), 3<<20)]
		var out bytes.Buffer
		w, err := NewWriter(&out, o, int64(len(plain)))
		if err != nil {
			return // a level that is not there for this size
		}
		if _, err := io.Copy(w, bytes.NewReader(plain)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if h, _ := o.Header(int64(len(plain))); !bytes.HasPrefix(out.Bytes(), h) {
			t.Fatalf("%+v: another header", o)
		}
		d, err := zstd.NewReader(&out, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%+v, %d bytes: does not decode: %v", o, len(plain), err)
		}
	})
}
