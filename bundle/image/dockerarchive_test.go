package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// plainLayer gives a layer's tar.
func plainLayer(img v1.Image, k int) []byte {
	return must(io.ReadAll(must(must(img.Layers())[k].Uncompressed())))
}

func TestDockerArchiveBySkopeo(t *testing.T) {
	img := newImage("amd64", "x")
	dir := writeLayout(t, named(img, "x"))
	archive := filepath.Join(t.TempDir(), "a.tar")
	run(t, testtools.Skopeo(t), "copy", "oci:"+dir+":x", "docker-archive:"+archive+":registry.example.com/app:1")
	cfg := image.Config{Platforms: []ocispec.Platform{platform("linux/amd64")}}
	got := resolve(t, cfg, "registry.example.com/app:1", "docker-archive:"+archive)
	m := got.Manifests[0]
	if len(m.Layers) != 1 || m.Layers[0].MediaType != ocispec.MediaTypeImageLayer || m.Config.Desc.MediaType != ocispec.MediaTypeImageConfig {
		t.Fatalf("manifest %s", m.Raw)
	}
	if !bytes.Equal(readBlob(t, got, m.Layers[0]), plainLayer(img, 0)) {
		t.Error("the layer is not the original's tar")
	}
	again := resolve(t, cfg, "registry.example.com/app:1", "docker-archive:"+archive+":registry.example.com/app:1")
	if !bytes.Equal(again.Root.Raw, got.Root.Raw) {
		t.Error("two manifests for one archive")
	}
}

// go-containerregistry puts gzip layers into its archives.
func TestDockerArchiveOfGzip(t *testing.T) {
	img := newImage("arm64", "x")
	archive := filepath.Join(t.TempDir(), "a.tar")
	if err := tarball.WriteToFile(archive, must(name.NewTag("app:1")), img); err != nil {
		t.Fatal(err)
	}
	got := resolve(t, image.Config{}, "app:1", "docker-archive:"+archive)
	layer := got.Manifests[0].Layers[0]
	want := must(must(img.Layers())[0].Digest()).String()
	if layer.MediaType != ocispec.MediaTypeImageLayerGzip || layer.Digest.String() != want {
		t.Errorf("layer %v", layer)
	}
	if !bytes.Equal(readBlob(t, got, layer), must(io.ReadAll(must(must(img.Layers())[0].Compressed())))) {
		t.Error("the layer is not the original")
	}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// The manifest that is made for an archive is a promise: releases are compared by its digest.
func TestDockerArchiveManifestIsStable(t *testing.T) {
	layer := []byte("not even a tar")
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:` + hexSum(layer) + `"]}}`)
	archive := writeTar(t, "", map[string][]byte{
		"c.json": config, "l/layer.tar": layer,
		"manifest.json": asJSON([]map[string]any{{"Config": "c.json", "RepoTags": []string{"app:1"}, "Layers": []string{"l/layer.tar"}}}),
	})
	got := resolve(t, image.Config{}, "app:1", "docker-archive:"+archive)
	want := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:` + hexSum(config) + `","size":151},` +
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:` + hexSum(layer) + `","size":14}]}`
	if string(got.Root.Raw) != want {
		t.Errorf("got  %s\nwant %s", got.Root.Raw, want)
	}
}

// Docker used to store a layer once and link to it from every image that shares it.
func TestDockerArchiveLinks(t *testing.T) {
	layer := []byte("layer")
	config := []byte(`{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["sha256:` + hexSum(layer) + `","sha256:` + hexSum(layer) + `"]}}`)
	path := filepath.Join(t.TempDir(), "a.tar")
	f := must(os.Create(path))
	tw := tar.NewWriter(f)
	add := func(h tar.Header, b []byte) {
		h.Size = int64(len(b))
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		must(tw.Write(b))
	}
	add(tar.Header{Name: "a/layer.tar"}, layer)
	add(tar.Header{Name: "b/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../a/layer.tar"}, nil)
	add(tar.Header{Name: "loop", Typeflag: tar.TypeSymlink, Linkname: "loop"}, nil)
	add(tar.Header{Name: "c.json"}, config)
	add(tar.Header{Name: "manifest.json"}, asJSON([]map[string]any{
		{"Config": "c.json", "RepoTags": []string{"app:1"}, "Layers": []string{"a/layer.tar", "b/layer.tar"}},
		{"Config": "loop", "RepoTags": []string{"loop:1"}},
	}))
	must(0, tw.Close())
	must(0, f.Close())
	got := resolve(t, image.Config{}, "app:1", "docker-archive:"+path)
	if len(got.Manifests[0].Layers) != 2 || !bytes.Equal(readBlob(t, got, got.Manifests[0].Layers[1]), layer) {
		t.Errorf("manifest %s", got.Root.Raw)
	}
	_, err := image.NewResolver(image.Config{}).Resolve(context.Background(), "loop:1", "docker-archive:"+path)
	checkError(t, err, "is a link to a link", "", true)
}

// Newer versions of docker save write both formats into one tar; the index in it is the original.
func TestDockerArchivePrefersIndex(t *testing.T) {
	img := newImage("amd64", "x")
	dir := writeLayout(t, entry{img, map[string]string{"io.containerd.image.name": "docker.io/library/app:1", ocispec.AnnotationRefName: "1"}})
	archive := writeTar(t, dir, map[string][]byte{"manifest.json": []byte(`[{"Config":"absent"}]`)})
	checkImage(t, resolve(t, image.Config{}, "app:1", "docker-archive:"+archive+":app:1"), img)
}

func TestDockerArchiveErrors(t *testing.T) {
	layer := []byte("layer")
	config := func(ids ...string) []byte {
		return asJSON(map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"diff_ids": ids}})
	}
	good := "sha256:" + hexSum(layer)
	list := func(entries ...map[string]any) []byte { return asJSON(entries) }
	app := map[string]any{"Config": "c", "RepoTags": []string{"app:1"}, "Layers": []string{"l"}}
	tests := []struct {
		name, source, message, hint string
		files                       map[string][]byte
	}{
		{"other tar", "", "not what docker save writes", "", map[string][]byte{"x": nil}},
		{"no JSON", "", "not JSON", "", map[string][]byte{"manifest.json": []byte("{}")}},
		{"none", "", "holds no image", "", map[string][]byte{"manifest.json": []byte("[]")}},
		{"several", "", "several images", "one of a:1, b:1", map[string][]byte{"manifest.json": list(
			map[string]any{"Config": "a", "RepoTags": []string{"a:1"}}, map[string]any{"Config": "b", "RepoTags": []string{"b:1"}})}},
		{"another name", ":other:1", "no image named other:1", "one of app:1", map[string][]byte{"manifest.json": list(app)}},
		{"no config", "", "config: \"c\": not found", "", map[string][]byte{"manifest.json": list(app)}},
		{"config no JSON", "", "not JSON", "", map[string][]byte{"manifest.json": list(app), "c": []byte("[")}},
		{"counts", "", "names 2 layers, manifest.json 1", "", map[string][]byte{"manifest.json": list(app), "c": config(good, good)}},
		{"no layer", "", "not found", "", map[string][]byte{"manifest.json": list(app), "c": config(good)}},
		{"no digest", "", "is not a sha256 digest", "", map[string][]byte{"manifest.json": list(app), "c": config("../x"), "l": layer}},
		{"other layer", "", "does not have this digest", "", map[string][]byte{"manifest.json": list(app), "c": config(good), "l": []byte("LAYER")}},
		{"broken gzip", "", "it is not whole", "", map[string][]byte{"manifest.json": list(app), "c": config(good), "l": {0x1f, 0x8b, 8}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkError(t, readAll("docker-archive:"+writeTar(t, "", tt.files)+tt.source), tt.message, tt.hint, true)
		})
	}
}
