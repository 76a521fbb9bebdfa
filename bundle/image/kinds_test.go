package image_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
)

const foreignLayer = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

// handmade is an OCI layout of which every byte is written by hand.
type handmade struct {
	t   *testing.T
	dir string
}

func newHandmade(t *testing.T) handmade { return handmade{t, t.TempDir()} }

// put stores a blob and describes it.
func (h handmade) put(mediaType string, b []byte) ocispec.Descriptor {
	h.t.Helper()
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	h.write("blobs/sha256/"+d.Digest.Encoded(), b)
	return d
}

func (h handmade) write(name string, b []byte) {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h handmade) json(mediaType string, v any) ocispec.Descriptor {
	h.t.Helper()
	return h.put(mediaType, must(json.Marshal(v)))
}

// image stores an image with one layer, whose bytes are the name of its architecture.
func (h handmade) image(arch string, layers ...ocispec.Descriptor) ocispec.Descriptor {
	h.t.Helper()
	if layers == nil {
		layers = []ocispec.Descriptor{h.put(ocispec.MediaTypeImageLayer, []byte(arch))}
	}
	config := h.json(ocispec.MediaTypeImageConfig, map[string]any{"os": "linux", "architecture": arch})
	return h.json(ocispec.MediaTypeImageManifest, map[string]any{"schemaVersion": 2, "config": config, "layers": layers})
}

func (h handmade) index(entries ...ocispec.Descriptor) ocispec.Descriptor {
	h.t.Helper()
	if entries == nil {
		entries = []ocispec.Descriptor{}
	}
	return h.json(ocispec.MediaTypeImageIndex, map[string]any{"schemaVersion": 2, "manifests": entries})
}

// finish makes the layout one of these images.
func (h handmade) finish(entries ...ocispec.Descriptor) string {
	h.t.Helper()
	h.write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	h.write("index.json", must(json.Marshal(map[string]any{"schemaVersion": 2, "manifests": entries})))
	return h.dir
}

func (h handmade) drop(d ocispec.Descriptor) {
	h.t.Helper()
	if err := os.Remove(filepath.Join(h.dir, "blobs/sha256", d.Digest.Encoded())); err != nil {
		h.t.Fatal(err)
	}
}

func on(d ocispec.Descriptor, arch string) ocispec.Descriptor {
	d.Platform = &ocispec.Platform{OS: "linux", Architecture: arch}
	return d
}

// dense stores a manifest or index again, of a size that registries accept, with more values than sites decode.
func dense(h handmade, mediaType string, d ocispec.Descriptor) ocispec.Descriptor {
	h.t.Helper()
	raw := must(os.ReadFile(filepath.Join(h.dir, "blobs/sha256", d.Digest.Encoded())))
	return h.put(mediaType, []byte(strings.TrimSuffix(string(raw), "}")+`,"x":[`+strings.Repeat(`0,`, 200_000)+`0]}`))
}

// attests makes an entry that BuildKit would add for an image.
func attests(d, of ocispec.Descriptor) ocispec.Descriptor {
	d.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	d.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of.Digest.String()}
	return d
}

// Indexes as they are met: containers/podman#18723 (one manifest for two platforms), opencontainers/image-spec's
// "nested index", containerd/containerd#5936 (no platform), helm and ORAS artifacts beside images.
func TestIndexes(t *testing.T) {
	for name, c := range map[string]struct {
		make      func(h handmade) ocispec.Descriptor
		wanted    []string
		platforms []string // of what is taken
		inner     int      // indexes inside
		attached  int
		note      string
		err       string
	}{
		"one manifest, two platforms, one wanted": {make: func(h handmade) ocispec.Descriptor {
			m := h.image("amd64")
			return h.index(on(m, "amd64"), on(m, "arm64"))
		}, wanted: []string{"linux/arm64"}, platforms: []string{"linux/arm64"}},
		"one manifest, two platforms, both wanted": {make: func(h handmade) ocispec.Descriptor {
			m := h.image("amd64")
			return h.index(on(m, "amd64"), on(m, "arm64"))
		}, wanted: []string{"linux/amd64", "linux/arm64"}, platforms: []string{"linux/amd64"}},
		"an index in an index": {make: func(h handmade) ocispec.Descriptor {
			return h.index(h.index(on(h.image("amd64"), "amd64"), on(h.image("arm64"), "arm64")), h.index(on(h.image("s390x"), "s390x")))
		}, wanted: []string{"linux/arm64"}, platforms: []string{"linux/arm64"}, inner: 1},
		"three deep, all taken": {make: func(h handmade) ocispec.Descriptor {
			return h.index(h.index(h.index(on(h.image("amd64"), "amd64")), on(h.image("arm64"), "arm64")))
		}, platforms: []string{"linux/amd64", "linux/arm64"}, inner: 2},
		"an inner index of other platforms is gone": {make: func(h handmade) ocispec.Descriptor {
			gone := h.index(on(h.image("s390x"), "s390x"))
			h.drop(gone)
			return h.index(on(h.image("amd64"), "amd64"), gone)
		}, wanted: []string{"linux/amd64"}, platforms: []string{"linux/amd64"}, note: "stays behind"},
		"too deep": {make: func(h handmade) ocispec.Descriptor {
			x := h.index(on(h.image("amd64"), "amd64"))
			for range 6 {
				x = h.index(x)
			}
			return x
		}, err: "in one another"},
		"without platforms": {make: func(h handmade) ocispec.Descriptor {
			return h.index(h.image("amd64"), h.image("arm64"))
		}, wanted: []string{"linux/arm64"}, platforms: []string{"linux/arm64"}},
		"without platforms, one gone": {make: func(h handmade) ocispec.Descriptor {
			gone := h.image("s390x")
			h.drop(gone)
			return h.index(gone, h.image("amd64"))
		}, wanted: []string{"linux/amd64"}, platforms: []string{"linux/amd64"}, note: "stays behind"},
		"something else beside the image": {make: func(h handmade) ocispec.Descriptor {
			return h.index(h.put("application/vnd.example.thing", []byte("x")), on(h.image("amd64"), "amd64"))
		}, wanted: []string{"linux/amd64"}, platforms: []string{"linux/amd64"}, note: `is a "application/vnd.example.thing" and no image`},
		"schema 1 beside the image": {make: func(h handmade) ocispec.Descriptor {
			return h.index(on(h.put("application/vnd.docker.distribution.manifest.v1+prettyjws", []byte("{}")), "amd64"), on(h.image("arm64"), "arm64"))
		}, wanted: []string{"linux/amd64"}, err: "manifest.v1+prettyjws"},
		"nothing":        {make: func(h handmade) ocispec.Descriptor { return h.index() }, err: "lists no image"},
		"nothing inside": {make: func(h handmade) ocispec.Descriptor { return h.index(h.index()) }, err: "lists no image"},
		"a wanted manifest is gone": {make: func(h handmade) ocispec.Descriptor {
			gone := h.image("amd64")
			h.drop(gone)
			return h.index(on(gone, "amd64"))
		}, wanted: []string{"linux/amd64"}, err: "not found"},
		"attested": {make: func(h handmade) ocispec.Descriptor {
			m := h.image("amd64")
			return h.index(on(m, "amd64"), attests(h.image("unknown"), m))
		}, wanted: []string{"linux/amd64"}, platforms: []string{"linux/amd64"}, attached: 1},
		"attestation gone": {make: func(h handmade) ocispec.Descriptor {
			m, a := h.image("amd64"), h.image("unknown")
			h.drop(a)
			return h.index(on(m, "amd64"), attests(a, m))
		}, wanted: []string{"linux/amd64"}, platforms: []string{"linux/amd64"}, note: "listed but not there"},
		"attestation damaged": {make: func(h handmade) ocispec.Descriptor {
			m, a := h.image("amd64"), h.image("unknown")
			h.write("blobs/sha256/"+a.Digest.Encoded(), []byte(strings.Repeat("x", int(a.Size))))
			return h.index(on(m, "amd64"), attests(a, m))
		}, wanted: []string{"linux/amd64"}, platforms: []string{"linux/amd64"}, note: "does not have this digest"},
		"attestation without its content": {make: func(h handmade) ocispec.Descriptor {
			gone := h.put("application/vnd.in-toto+json", []byte("{}"))
			m, a := h.image("amd64"), h.image("unknown", gone)
			h.drop(gone)
			return h.index(on(m, "amd64"), attests(a, m))
		}, wanted: []string{"linux/amd64"}, platforms: []string{"linux/amd64"}, note: "listed but not there"},
		"more than a mirror takes": {make: func(h handmade) ocispec.Descriptor {
			return dense(h, ocispec.MediaTypeImageIndex, h.index(on(h.image("amd64"), "amd64")))
		}, err: "no mirror takes its manifest sha256:"},
		"a manifest that is more than a mirror takes": {make: func(h handmade) ocispec.Descriptor {
			return h.index(on(dense(h, ocispec.MediaTypeImageManifest, h.image("amd64")), "amd64"))
		}, wanted: []string{"linux/amd64"}, err: "no mirror takes its manifest sha256:"},
		"attestation that is more than a mirror takes": {make: func(h handmade) ocispec.Descriptor {
			m := h.image("amd64")
			return h.index(on(m, "amd64"), attests(dense(h, ocispec.MediaTypeImageManifest, h.image("unknown")), m))
		}, wanted: []string{"linux/amd64"}, platforms: []string{"linux/amd64"}, note: "no mirror takes its manifest sha256:"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandmade(t)
			dir := h.finish(c.make(h))
			var cfg image.Config
			for _, p := range c.wanted {
				cfg.Platforms = append(cfg.Platforms, platform(p))
			}
			if c.err != "" {
				_, err := image.NewResolver(cfg).Resolve(t.Context(), "app:1", "oci:"+dir)
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, want %q", err, c.err)
				}
				return
			}
			got := resolve(t, cfg, "app:1", "oci:"+dir)
			var platforms []string
			for _, m := range got.Manifests {
				platforms = append(platforms, bundle.FormatPlatform(m.Platform))
			}
			if !slices.Equal(platforms, c.platforms) || len(got.Indexes) != c.inner || len(got.Attached) != c.attached {
				t.Errorf("took %v, %d inner indexes, %d attached", platforms, len(got.Indexes), len(got.Attached))
			}
			if notes := strings.Join(got.Notes, "\n"); c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
			checkInnerFirst(t, got)
		})
	}
}

// checkInnerFirst wants every inner index after those that it lists.
func checkInnerFirst(t *testing.T, img *image.Image) {
	t.Helper()
	for k, x := range img.Indexes {
		for _, later := range img.Indexes[k+1:] {
			if strings.Contains(string(x.Raw), later.Desc.Digest.String()) {
				t.Errorf("index %s comes before %s, which is inside it", x.Desc.Digest, later.Desc.Digest)
			}
		}
	}
}

// oras-project/oras-go#319, distribution/distribution#2795: the layers of Windows bases are where the manifest says.
func TestForeignLayers(t *testing.T) {
	h := newHandmade(t)
	layer := h.put(foreignLayer, []byte("windows"))
	layer.URLs = []string{"https://mcr.example.com/v2/w/blobs/" + layer.Digest.String()}
	dir := h.finish(h.image("amd64", layer))
	got := resolve(t, image.Config{}, "app:1", "oci:"+dir)
	if b := readBlob(t, got, got.Manifests[0].Layers[0]); string(b) != "windows" {
		t.Errorf("got %q", b)
	}
	h.drop(layer)
	_, err := image.NewResolver(image.Config{}).Resolve(t.Context(), "app:1", "oci:"+dir)
	checkError(t, err, "its layer "+layer.Digest.String()+" is a foreign (non-distributable) one", "a registry of yours", true)
	if !strings.Contains(err.Error(), layer.URLs[0]) {
		t.Errorf("%v does not say where it is", err)
	}
}
