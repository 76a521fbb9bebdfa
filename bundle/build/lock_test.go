package build

import (
	"bytes"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// smallLock is a lock of one image with one layer.
func smallLock(t testing.TB) []byte {
	t.Helper()
	manifest, config, layer := digest.FromString("manifest"), digest.FromString("config"), digest.FromString("layer")
	d := &bundle.Descriptor{Name: "shop", Version: "1.0.0", Sequence: 3, Platforms: []string{"linux/amd64"},
		Images: []bundle.Image{{Name: "registry.example.com/shop/server:1.0.0", Digest: manifest, Size: 400,
			MediaType: "application/vnd.oci.image.manifest.v1+json",
			Manifests: []bundle.ImageManifest{{Digest: manifest, Size: 400, MediaType: "application/vnd.oci.image.manifest.v1+json",
				Platform: "linux/amd64", Config: config, Layers: []digest.Digest{layer}}}}},
		Blobs: []bundle.Blob{
			{Digest: config, Size: 200, MediaType: "application/vnd.oci.image.config.v1+json", Form: bundle.FormFull},
			{Digest: layer, Size: 9000, MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Form: bundle.FormRecompressed},
		},
		SBOMs: []bundle.SBOM{{Image: manifest, Format: "spdx", Digest: digest.FromString("sbom"), Size: 90, Form: bundle.FormFull, Packages: 5}},
	}
	raw, err := NewLock(d, digest.FromString("release")).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseLock(t *testing.T) {
	raw := smallLock(t)
	l, err := ParseLock(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Marshal()
	if err != nil || !bytes.Equal(raw, again) {
		t.Errorf("%v\n%s\n%s", err, raw, again)
	}
	k := newKnown("x", l.Release, l.descriptor(), nil)
	if k.desc.Sequence != 3 || len(k.blobs) != 2 || len(k.desc.SBOMs) != 1 {
		t.Errorf("as a base: %+v", k.desc)
	}
}

func TestParseLockRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"unknown field":   {`"kind"`, `"kine"`, "unknown field"},
		"kind":            {`"Lock"`, `"Release"`, "Release"},
		"later version":   {"sallyport.dev/v1", "sallyport.dev/v2", "sallyport.dev/v2"},
		"bytes at end":    {"\n}\n", "\n}\n{}", "follows"},
		"digest":          {`"digest": "sha256:`, `"digest": "sha255:`, "digest"},
		"negative size":   {`"size": 9000`, `"size": -1`, "-1"},
		"too large":       {`"size": 9000`, `"size": 9000000000000`, "9000000000000"},
		"a layer missing": {digest.FromString("layer").String(), digest.FromString("other").String(), "not listed"},
		"cut off":         {"\n}\n", "\n", "parse"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(smallLock(t)), c.old, c.new, 1)
			if text == string(smallLock(t)) {
				t.Fatal("the case changes nothing")
			}
			if l, err := ParseLock([]byte(text)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %v; want %q", l, err, c.says)
			}
		})
	}
	if _, err := ParseLock(make([]byte, bundle.MaxDescriptorSize+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a huge lock: %v", err)
	}
}

func FuzzLock(f *testing.F) {
	f.Add(smallLock(f))
	f.Add([]byte(`{"apiVersion":"sallyport.dev/v1","kind":"Lock"}`))
	f.Add([]byte("{}{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := ParseLock(raw)
		if err != nil {
			return
		}
		out, err := l.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseLock(out); err != nil {
			t.Fatalf("what was accepted is refused when written again: %v", err)
		}
	})
}
