package bundle_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

func BenchmarkRead(b *testing.B) {
	release := bundletest.Minimal()
	release.Images[0].Layers[0].Bytes = make([]byte, 32<<20)
	file := release.Bytes(b)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := bundle.NewReader(bytes.NewReader(file))
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
}
