package build

import (
	"fmt"
	"strings"
	"testing"
)

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
			if e.Label == "pinned" {
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
