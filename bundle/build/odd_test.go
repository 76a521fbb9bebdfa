package build

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// oddImage is the spec of a release with one image, app:1 of the layout "images".
const oddImage = "  images: [{name: \"registry.example.com/app:1\", source: \"oci:./images\"}]\n"

// Layers that runtimes take and readers of tars may not: all travel as they are, and a site gets them so.
func TestOddLayersTravel(t *testing.T) {
	plain := bytes.Repeat([]byte("no tar at all, and long enough for a patch. "), 100)
	packed := read(t, writeLayer(t))
	for name, layer := range map[string][]byte{
		"zeros after gzip":     append(bytes.Clone(packed), make([]byte, 512)...), // opencontainers/umoci#358
		"two members":          slices.Concat(packed, packed),
		"plain, said to be gz": plain,
		"cut":                  packed[:len(packed)-20],
		"nothing":              {},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFactory(t)
			f.layout("registry.example.com/app:1", must(fixture.Image("amd64", "/app", static.NewLayer(layer, types.OCILayer))))
			f.write("release-1.yaml", spec("1.0.0", oddImage))
			site{}.load(t, open(t, f.build(f.config("1")).File))
		})
	}
}

// writeLayer writes a layer of a few kilobytes.
func writeLayer(t *testing.T) string {
	t.Helper()
	l := must(fixture.Layer(fixture.File{Path: "app", Mode: 0o755, Data: bytes.Repeat([]byte("data "), 2000)}))
	path := t.TempDir() + "/layer"
	r := must(l.Compressed())
	defer r.Close()
	f := must(os.Create(path))
	defer f.Close()
	if _, err := f.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return path
}

// The indexes inside an index travel, too: a runtime follows them.
func TestNestedIndexTravels(t *testing.T) {
	f := newFactory(t)
	inner := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: toolImage(), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	outer := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: inner})
	l := must(layout.Write(f.path("images"), empty.Index))
	if err := l.AppendIndex(outer, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "app:1"})); err != nil {
		t.Fatal(err)
	}
	f.write("release-1.yaml", spec("1.0.0", oddImage))
	res := f.build(f.config("1"))
	img := res.Descriptor.Images[0]
	want := must(inner.Digest()).String()
	if img.Digest.String() != must(outer.Digest()).String() || len(img.Indexes) != 1 || img.Indexes[0].Digest.String() != want {
		t.Fatalf("the image is %+v", img)
	}
	metadata, _ := res.Descriptor.Layers()
	if metadata[1].Digest.String() != want || metadata[1].MediaType != string(types.OCIImageIndex) {
		t.Errorf("the second blob is %+v", metadata[1])
	}
	site{}.load(t, open(t, res.File))
	broken := *res.Descriptor
	broken.Images = slices.Clone(broken.Images)
	broken.Images[0].Indexes = append(slices.Clone(img.Indexes), bundle.InnerIndex{Digest: img.Digest, MediaType: img.MediaType, Size: img.Size})
	if err := broken.Validate(); err == nil || !strings.Contains(err.Error(), "listed twice") {
		t.Errorf("an index that lists itself gave %v", err)
	}
}

// A lock file has no bytes. If the registry has none either, that is the first thing to say, not the last.
func TestLockWithoutItsRegistry(t *testing.T) {
	f := newFactory(t, "1.0.0", "2.0.0")
	lock := strings.ReplaceAll(string(read(t, f.build(f.config("1.0.0")).Lock)), "registry.example.com/", "127.0.0.1:1/")
	f.write("lone.lock.json", lock)
	cfg := f.config("2.0.0", f.path("lone.lock.json"))
	cfg.Images.Patience = image.Patience{Pause: time.Millisecond}
	var notes []string
	deltas := -1
	cfg.Observe = func(e Event) {
		if e.Label == "deltas" && deltas < 0 {
			deltas = len(notes)
		}
		if e.Label == "note" {
			notes = append(notes, e.Text)
		}
	}
	f.build(cfg)
	if len(notes) != 1 || deltas != 1 || !strings.Contains(notes[0], "lone.lock.json: it is a lock file, which carries no layers") ||
		!strings.Contains(notes[0], "127.0.0.1:1 refuses connections") {
		t.Errorf("notes %q, %d before the work", notes, deltas)
	}
}
