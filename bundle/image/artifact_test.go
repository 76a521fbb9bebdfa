package image_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle/image"
)

// orasLayout lays files out as oras push --oci-layout does: a manifest with an artifact type, the empty config, and a layer
// for each file, which its title names.
func orasLayout(t *testing.T, tag string, files map[string]string, unpack ...string) string {
	t.Helper()
	dir := t.TempDir()
	blob := func(mediaType, text string) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(text), Size: int64(len(text))}
		path := filepath.Join(dir, "blobs", "sha256", d.Digest.Encoded())
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: "application/vnd.example.os", Config: blob(ocispec.MediaTypeEmptyJSON, "{}")}
	for name, text := range files {
		l := blob("application/octet-stream", text)
		l.Annotations = map[string]string{ocispec.AnnotationTitle: name}
		for _, u := range unpack {
			if u == name {
				l.Annotations["io.deis.oras.content.unpack"] = "true"
			}
		}
		m.Layers = append(m.Layers, l)
	}
	manifest := blob(m.MediaType, string(must(json.Marshal(m))))
	manifest.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{manifest}}
	for name, text := range map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": string(must(json.Marshal(index)))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFileOfArtifact(t *testing.T) {
	two := orasLayout(t, "12.8", map[string]string{"rootfs.squashfs": "hsqs", "boot/vmlinuz": "MZ"})
	one := orasLayout(t, "12.8", map[string]string{"rootfs.squashfs": "hsqs"})
	folder := orasLayout(t, "12.8", map[string]string{"boot": "packed"}, "boot")
	for _, test := range []struct{ name, source, path, want, fault string }{
		{"by its title", "oci:" + two + ":12.8", "rootfs.squashfs", "hsqs", ""},
		{"in a folder", "oci:" + two + ":12.8", "/boot/vmlinuz", "MZ", ""},
		{"without a tag", "oci:" + two, "boot/vmlinuz", "MZ", ""},
		{"the only one", "oci:" + one, "", "hsqs", ""},
		{"one of two", "oci:" + two, "", "", "it holds 2 files"},
		{"none of two", "oci:" + two, "vmlinuz", "", `it holds no file "vmlinuz"`},
		{"another tag", "oci:" + two + ":12.9", "boot/vmlinuz", "", "no image named 12.9"},
		{"a folder", "oci:" + folder, "boot", "", "folder that was packed"},
		{"no layout", "oci:" + t.TempDir(), "boot", "", "not an OCI image layout"},
		{"no reference", "oci://UPPER", "boot", "", "not an image reference"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := image.NewResolver(image.Config{}).File(t.Context(), test.source, test.path)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("got %v, want %q", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := f.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if b, err := io.ReadAll(r); err != nil || string(b) != test.want {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

// TestFileOfDamagedArtifact fails in place of ending where the layer has other bytes than the manifest says.
func TestFileOfDamagedArtifact(t *testing.T) {
	dir := orasLayout(t, "1", map[string]string{"root.img": "good"})
	path := filepath.Join(dir, "blobs", "sha256", digest.FromString("good").Encoded())
	if err := os.WriteFile(path, []byte("evil"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := image.NewResolver(image.Config{}).File(t.Context(), "oci:"+dir, "root.img")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := f.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err == nil {
		t.Errorf("got %q", b)
	}
}
