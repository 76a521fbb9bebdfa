package build

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// Objects name what runs: fluxcd/flux#498, kubernetes/kubernetes#33664 (a tag that was built again changes nothing). Without
// pins the factory says which images will not roll.
func TestTagsArePinned(t *testing.T) {
	const name = "registry.example.com/shop/server:latest"
	for _, tt := range []struct {
		pin, written string
		pinned, told int
	}{
		{"", "registry.example.com/shop/server", 2, 0},
		{"  pin: false\n", name, 0, 1},
	} {
		f := newFactory(t, "1.0.0")
		f.write("manifests-1.0.0/server.yaml", manifests(tt.written, toolName))
		var pinned, told []string
		build := func(layout, version string, bases ...string) *Result {
			if err := fixture.WriteLayout(f.path(layout), name, serverImage(t, version)); err != nil {
				t.Fatal(err)
			}
			f.write("release-1.0.0.yaml", spec("1.0.0", tt.pin+`  images:
    - {name: `+name+`, source: "oci:./`+layout+`"}
    - {name: `+toolName+`, source: "oci:./images"}
  manifests: [{path: ./manifests-1.0.0}]
`))
			cfg := f.config("1.0.0", bases...)
			cfg.Output += layout
			pinned = nil
			cfg.Observe = func(e Event) {
				switch {
				case e.Label == "pinned":
					pinned = append(pinned, e.Text)
				case e.Label == "note" && strings.Contains(e.Text, "is another image than in 1.0.0"):
					told = append(told, e.Text)
				}
			}
			return f.build(cfg)
		}
		first := build("first", "1.0.0")
		res := build("second", "2.0.0", first.File)
		image, want := res.Descriptor.Images[0], must(serverImage(t, "2.0.0").Digest()).String()
		objects := string(open(t, res.File).blobs[res.Descriptor.Manifests.Digest])
		if image.Name != name || image.Digest.String() != want || strings.Contains(objects, name+"@"+want) != (tt.pinned > 0) || (image.Pinned == image.Digest) != (tt.pinned > 0) {
			t.Errorf("with %q: image %+v, objects\n%s", tt.pin, image, objects)
		}
		if len(pinned) != tt.pinned || tt.pinned > 0 && !strings.HasPrefix(pinned[0], name+" -> "+want[:19]) || len(told) != tt.told {
			t.Errorf("with %q: pinned %q, told %q", tt.pin, pinned, told)
		}
		if same := res.Descriptor.Manifests.Digest == first.Descriptor.Manifests.Digest; same != (tt.pinned == 0) {
			t.Errorf("with %q: the objects are the same: %v", tt.pin, same)
		}
	}
}

// A mirror knows images by their path alone, so of two hosts with one path the factory refuses what no site could take.
func TestTwoHostsWithOnePath(t *testing.T) {
	f := newFactory(t, "1.0.0")
	f.layout("one.example.com/app:1", serverImage(t, "1.0.0"))
	f.layout("two.example.com/app:1", serverImage(t, "2.0.0"))
	f.write("manifests-1.0.0/server.yaml", manifests("one.example.com/app:1", "two.example.com/app:1"))
	f.write("release-1.0.0.yaml", spec("1.0.0", `  images:
    - {name: one.example.com/app:1, source: "oci:./images"}
    - {name: two.example.com/app:1, source: "oci:./images"}
  manifests: [{path: ./manifests-1.0.0}]
`))
	_, err := Run(t.Context(), f.config("1.0.0"))
	var e *bundle.NameError
	if !errors.As(err, &e) || !errors.Is(err, bundle.ErrConflict) || e.Reason() != "image" || !strings.Contains(err.Error(), "one.example.com/app:1") || !strings.Contains(err.Error(), "two.example.com/app:1") {
		t.Errorf("got %v", err)
	}
}

// A tag beside a digest is for people: container runtimes ignore it, so the image is named by the digest alone from the
// manifest to the mirror. The manifest itself stays as it was written.
func TestTagBesideDigest(t *testing.T) {
	f := newFactory(t, "1.0.0")
	sum := must(serverImage(t, "1.0.0").Digest()).String()
	written, name := serverName+"1.0.0@"+sum, strings.TrimSuffix(serverName, ":")+"@"+sum
	for _, listed := range []string{written, name} {
		f.write("manifests-1.0.0/server.yaml", manifests(written, toolName))
		f.write("release-1.0.0.yaml", spec("1.0.0", fmt.Sprintf(`  images:
    - {name: %q, source: "oci:./images"}
    - {name: %q, source: "oci:./images"}
  manifests: [{path: ./manifests-1.0.0}]
`, listed, toolName)))
		cfg := f.config("1.0.0")
		cfg.Observe = func(e Event) {
			if e.Label == "pinned" && !strings.HasPrefix(e.Text, toolName) {
				t.Errorf("pinned: %s", e.Text)
			}
		}
		res := f.build(cfg)
		if len(res.Descriptor.Images) != 2 || res.Descriptor.Images[0].Name != name || res.Descriptor.Images[0].Digest.String() != sum {
			t.Errorf("listed as %s: images %+v, want %s", listed, res.Descriptor.Images, name)
		}
		if objects := string(open(t, res.File).blobs[res.Descriptor.Manifests.Digest]); !strings.Contains(objects, "image: "+written+"\n") {
			t.Errorf("the manifests do not say %s:\n%s", written, objects)
		}
	}
}
