package bundle_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

// TestDenseDescriptors: what would grow when it is decoded is refused before that.
func TestDenseDescriptors(t *testing.T) {
	repeat := func(text string, n int) []byte { return []byte(`{"x":[` + strings.Repeat(text, n)) }
	for _, tt := range []struct {
		name, want string
		text       []byte
	}{
		{"objects", "objects and", repeat("{},", 10_000)},
		{"values", "values in", repeat("1,", 20_000)},
		{"nesting", "inside one another", repeat("[", 100)},
		{"a long text", "a string of more than 65536 bytes", repeat(`"`+strings.Repeat("x", 70_000)+`",`, 1)},
		{"a long text with quotes", "a string of more than 65536 bytes", repeat(`"`+strings.Repeat(`\"`, 40_000)+`",`, 1)},
		{"a long text of brackets", "does not parse", repeat(`"`+strings.Repeat(`[{,`, 20_000)+`",`, 1)},
		{"too many bytes", "more than 6291456", make([]byte, bundle.MaxDescriptorSize+1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bundle.ParseDescriptor(tt.text)
			wantReason(t, err, "format", tt.want)
		})
	}
}

// TestSealKeepsToLimits: what a site would refuse is not made.
func TestSealKeepsToLimits(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		change     func(r *bundletest.Release)
	}{
		{"expression", "more than 10000 steps", func(r *bundletest.Release) {
			r.Checks = []bundle.Check{{Name: "c", HTTP: &bundle.HTTPCheck{URL: "http://a/", Body: strings.Repeat("(y{500})", 21)}}}
		}},
		{"objects", "more than 32768", func(r *bundletest.Release) { r.Count = bundle.MaxObjects + 1 }},
		{"listing", "a list of the images' blobs", func(r *bundletest.Release) {
			r.Images[0].Layers[0].Note = strings.Repeat("n", 1000)
			image := r.Images[0]
			for i := range 7000 {
				image.Name = fmt.Sprintf("registry.example.com/app%d:1", i)
				r.Images = append(r.Images, image)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := bundletest.Minimal()
			tt.change(&r)
			_, err := bundle.Seal(r.Contents(t))
			wantReason(t, err, "format", tt.want)
		})
	}
}

// TestSignaturesTogether: few signatures may not be many bytes, for the writer and the reader.
func TestSignaturesTogether(t *testing.T) {
	s := bundletest.Minimal().Seal(t)
	var sigs []bundle.Signature
	for i := range 3 {
		text := append(fmt.Appendf(nil, `{"n":%d,"x":"`, i), append(bytes.Repeat([]byte("x"), bundle.MaxSignaturesSize/3), `"}`...)...)
		sig, err := bundle.NewSignature(s.Desc(), text, bundle.PredicateSignature)
		if err != nil {
			t.Fatal(err)
		}
		sigs = append(sigs, sig)
	}
	var b bytes.Buffer
	if _, err := s.Write(t.Context(), &b, sigs[:2]); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.NewReader(bytes.NewReader(b.Bytes())); err != nil {
		t.Error(err)
	}
	_, err := s.Write(t.Context(), &b, sigs)
	wantReason(t, err, "format", "more than 4194304 bytes together")
}
