package bundle_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

const (
	imageManifest = "application/vnd.oci.image.manifest.v1+json"
	imageIndex    = "application/vnd.oci.image.index.v1+json"
)

// What every registry can answer with: distribution/distribution#3628 and regclient/regclient#836 tell of those that
// refuse an index of which they lack parts; containers/podman#18723 of one manifest for two platforms.
func TestServed(t *testing.T) {
	d := digest.FromString
	index := func(names ...string) []byte {
		var entries []string
		for _, n := range names {
			entries = append(entries, `{"digest":"`+d(n).String()+`"}`)
		}
		return []byte(`{"schemaVersion":2,"manifests":[` + strings.Join(entries, ",") + `],"annotations":{"a":"b"}}`)
	}
	cut := digest.FromBytes(index("a", "b"))
	tests := []struct {
		name                      string
		lists                     []string
		carries, attached, inside []string
		want                      digest.Digest
		isCut, isManifest         bool
	}{
		{name: "everything is carried", lists: []string{"a", "b"}, carries: []string{"a", "b"}, want: d("index")},
		{name: "with its attestation", lists: []string{"a", "x"}, carries: []string{"a"}, attached: []string{"x"}, want: d("index")},
		{name: "one for two platforms", lists: []string{"a", "a"}, carries: []string{"a"}, want: d("index")},
		{name: "one of two", lists: []string{"a", "b"}, carries: []string{"b"}, want: d("b"), isManifest: true},
		{name: "an attestation is not there", lists: []string{"a", "x"}, carries: []string{"a"}, want: d("a"), isManifest: true},
		{name: "one by way of an index inside", lists: []string{"inside"}, carries: []string{"a"}, want: d("a"), isManifest: true},
		{name: "one and its attestation", lists: []string{"a", "b", "c"}, carries: []string{"a"}, attached: []string{"b"}, want: cut, isCut: true},
		{name: "two of three", lists: []string{"a", "b", "c"}, carries: []string{"b", "a"}, want: cut, isCut: true},
		{name: "two by way of an index inside that is whole", lists: []string{"inside", "x"}, carries: []string{"a", "b"}, inside: []string{"a", "b"}, want: digest.FromBytes(index("inside")), isCut: true},
		{name: "of an index inside that is not", lists: []string{"inside", "x"}, carries: []string{"a", "b"}, inside: []string{"a", "y", "b"}, want: cut, isCut: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			im := bundle.Image{Digest: d("index"), MediaType: imageIndex}
			for _, n := range tt.carries {
				im.Manifests = append(im.Manifests, bundle.ImageManifest{Digest: d(n), MediaType: imageManifest})
			}
			for _, n := range tt.attached {
				im.Attached = append(im.Attached, bundle.Attached{Digest: d(n)})
			}
			if tt.inside != nil {
				im.Indexes = []bundle.InnerIndex{{Digest: d("inside")}}
			}
			got, err := im.Served(func(of digest.Digest) ([]byte, error) {
				if of == d("inside") {
					return index(tt.inside...), nil
				}
				return index(tt.lists...), nil
			})
			if err != nil || got.Digest != tt.want || (got.Cut != nil) != tt.isCut || (got.MediaType == imageManifest) != tt.isManifest {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// FuzzCutIndex: what comes out is JSON that names exactly what is kept, and cutting it again changes nothing.
func FuzzCutIndex(f *testing.F) {
	d := digest.FromString("kept")
	keep := []digest.Digest{d}
	for _, s := range []string{
		`{"schemaVersion":2,"manifests":[{"digest":"` + d.String() + `"},{"digest":"sha256:x"}],"annotations":{"a":"<b>"}}`,
		`{"manifests":[]}`, `{"manifests":null}`, `[]`, `{`, `{"manifests":[{"digest":"` + d.String() + `"}],"manifests":[]}`, `null`,
		`{"MANIFESTS":[{"digest":"` + d.String() + `"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, full []byte) {
		cut, err := bundle.CutIndex(full, keep, nil)
		if err != nil {
			return
		}
		if !json.Valid(cut) || !strings.Contains(string(cut), d.String()) {
			t.Fatalf("%s became %s", full, cut)
		}
		again, err := bundle.CutIndex(cut, keep, nil)
		if err != nil || string(again) != string(cut) {
			t.Errorf("%s became %s, then %s, %v", full, cut, again, err)
		}
	})
}
