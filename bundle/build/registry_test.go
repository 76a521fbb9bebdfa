package build

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/fixture"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// TestRegistry takes images for two platforms from a stock registry, and earlier releases too.
func TestRegistry(t *testing.T) {
	host := strings.TrimPrefix(testtools.DockerRegistry(t), "http://")
	f := newFactory(t)
	for _, v := range []string{"1.0.0", "2.0.0"} {
		ref := host + "/shop/server:" + v
		pushIndex(t, ref, v)
		f.write("manifests-"+v+"/server.yaml", manifests(ref, ref))
		f.write("release-"+v+".yaml", spec(v, fmt.Sprintf("  platforms: [linux/amd64, linux/arm64]\n  manifests: [{path: ./manifests-%s}]\n", v)))
	}
	first := f.build(f.config("1.0.0"))
	img := first.Descriptor.Images[0]
	if len(first.Descriptor.Images) != 1 || len(img.Manifests) != 2 || !bundle.IsIndex(img.MediaType) || img.Manifests[1].Platform != "linux/arm64" {
		t.Fatalf("images %+v", first.Descriptor.Images)
	}
	s := site{}
	s.load(t, open(t, first.File))

	pushRelease(t, first.File, host+"/shop/release:1")
	want := f.build(f.config("2.0.0", first.File))
	s.load(t, open(t, want.File))
	if got := forms(want.Descriptor); got[bundle.FormDelta] != 2 || got[bundle.FormReuse] != 1 {
		t.Errorf("layers travel as %v, want a delta for each platform", got)
	}
	for _, ref := range []string{first.Lock, host + "/shop/release:1"} {
		if got := f.build(f.config("2.0.0", ref)); got.Digest != want.Digest {
			t.Errorf("on %s the release is another (%v)", ref, forms(got.Descriptor))
		}
	}
	cfg := f.config("2.0.0", host+"/shop/server:1.0.0")
	if _, err := Run(t.Context(), cfg); reasonOf(err, "") != "usage" || !strings.Contains(err.Error(), "not a release") {
		t.Errorf("an image as base: %v", err)
	}
}

// pushIndex pushes a server for two platforms. The base layer is the same for both.
func pushIndex(t *testing.T, ref, version string) {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		base := must(fixture.Layer(fixture.File{Path: "usr/share/words", Mode: 0o644, Data: words("version")}))
		app := must(fixture.Layer(fixture.File{Path: "server", Mode: 0o755, Data: append(program(t, version), arch...)}))
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: must(fixture.Image(arch, "/server", base, app)),
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	if err := remote.WriteIndex(must(name.ParseReference(ref)), index, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// pushRelease pushes a bundle's release as a stock tool would.
func pushRelease(t *testing.T, file, ref string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "unpacked")
	unpack(t, file, dir)
	index := must(layout.ImageIndexFromPath(dir))
	release := must(index.Image(must(index.IndexManifest()).Manifests[0].Digest))
	if err := remote.Write(must(name.ParseReference(ref)), release, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}
