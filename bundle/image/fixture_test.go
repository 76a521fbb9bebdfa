package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// must is for fixtures, which are made of nothing that can fail in a way a test is about.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newImage makes an image of one file, different for each text and architecture.
func newImage(arch, text string) v1.Image {
	layer := must(fixture.Layer(fixture.File{Path: "app", Mode: 0o755, Data: []byte(text + arch)}))
	return must(fixture.Image(arch, "/app", layer))
}

// newIndex makes an index of images by platform, and of what BuildKit would attest of the first.
func newIndex(text string, platforms ...v1.Platform) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for k, p := range platforms {
		img := newImage(p.Architecture, text+p.Variant)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
		if k == 0 {
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: newArtifact("in-toto"), Descriptor: v1.Descriptor{
				Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
				Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest",
					"vnd.docker.reference.digest": must(img.Digest()).String()},
			}})
		}
	}
	return index
}

// newArtifact makes the manifest of something that is attached to an image.
func newArtifact(text string) v1.Image {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.example.config+json")
	return must(mutate.AppendLayers(img, static.NewLayer([]byte(text), "text/plain")))
}

// withSubject makes an artifact a referrer.
func withSubject(artifact v1.Image, subject partial.Describable) v1.Image {
	return mutate.Subject(artifact, *must(partial.Descriptor(subject))).(v1.Image)
}

// cosignTag gives the tag that cosign would use.
func cosignTag(of interface{ Digest() (v1.Hash, error) }, suffix string) string {
	return strings.Replace(must(of.Digest()).String(), ":", "-", 1) + suffix
}

// checkImage compares what was resolved with the original, every byte of it.
func checkImage(t *testing.T, got *image.Image, want v1.Image) {
	t.Helper()
	m := findManifest(got, must(want.Digest()).String())
	if m == nil {
		t.Fatalf("manifest %s is not among %d", must(want.Digest()), len(got.Manifests))
	}
	if !bytes.Equal(m.Raw, must(want.RawManifest())) || !bytes.Equal(m.Config.Raw, must(want.RawConfigFile())) {
		t.Error("manifest or config differ from the original")
	}
	layers := must(want.Layers())
	if len(layers) != len(m.Layers) {
		t.Fatalf("%d layers, want %d", len(m.Layers), len(layers))
	}
	for k, layer := range layers {
		original := must(io.ReadAll(must(layer.Compressed())))
		if !bytes.Equal(readBlob(t, got, m.Layers[k]), original) {
			t.Errorf("layer %d differs from the original", k)
		}
	}
}

func findManifest(img *image.Image, dgst string) *image.PlatformManifest {
	for k, m := range img.Manifests {
		if m.Desc.Digest.String() == dgst {
			return &img.Manifests[k]
		}
	}
	return nil
}

func readBlob(t *testing.T, img *image.Image, desc ocispec.Descriptor) []byte {
	t.Helper()
	rc, err := img.OpenBlob(context.Background(), desc)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	if err := rc.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

// attached lists an image's artifacts as "how subject text", for comparison.
func attached(t *testing.T, img *image.Image) []string {
	t.Helper()
	var list []string
	for _, a := range img.Attached {
		list = append(list, fmt.Sprintf("%s %s %s", a.Attachment, a.Subject.Digest, readBlob(t, img, a.Layers[0])))
		if a.Desc.Digest != digest.FromBytes(a.Raw) {
			t.Errorf("artifact %s has other bytes", a.Desc.Digest)
		}
		if (a.Attachment == image.ByTag) != (a.Tag != "") {
			t.Errorf("artifact %s by %s has the tag %q", a.Desc.Digest, a.Attachment, a.Tag)
		}
	}
	return list
}

func resolve(t *testing.T, cfg image.Config, name, source string) *image.Image {
	t.Helper()
	img, err := image.NewResolver(cfg).Resolve(context.Background(), name, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	})
	return img
}

func platform(s string) ocispec.Platform { return must(bundle.ParsePlatform(s)) }

// entry is a manifest of a layout and its annotations.
type entry struct {
	add         any // v1.Image or v1.ImageIndex
	annotations map[string]string
}

func named(add any, name string) entry {
	return entry{add, map[string]string{ocispec.AnnotationRefName: name}}
}

// writeLayout writes an OCI layout and returns its folder.
func writeLayout(t *testing.T, entries ...entry) string {
	t.Helper()
	dir := t.TempDir()
	l := must(layout.Write(dir, empty.Index))
	for _, e := range entries {
		var err error
		switch add := e.add.(type) {
		case v1.Image:
			err = l.AppendImage(add, layout.WithAnnotations(e.annotations))
		case v1.ImageIndex:
			err = l.AppendIndex(add, layout.WithAnnotations(e.annotations))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// writeTar packs a folder, plus some files, as a tar in which everything is called ./NAME, as tar(1) does.
func writeTar(t *testing.T, dir string, more map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	f := must(os.Create(path))
	defer f.Close()
	tw := tar.NewWriter(f)
	add := func(name string, b []byte) {
		if err := tw.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o644, Size: int64(len(b))}); err != nil {
			t.Fatal(err)
		}
		must(tw.Write(b))
	}
	if dir != "" {
		root := os.DirFS(dir)
		err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				add(name, must(fs.ReadFile(root, name)))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range more {
		add(name, b)
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func asJSON(v any) []byte { return must(json.Marshal(v)) }
