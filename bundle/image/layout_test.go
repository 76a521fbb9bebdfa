package image_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// Everything that a layout can attach to an image, and an image of another name.
func fullLayout(t *testing.T) (dir string, index v1.ImageIndex, want []string) {
	t.Helper()
	index = newIndex("one", v1.Platform{OS: "linux", Architecture: "amd64"}, v1.Platform{OS: "linux", Architecture: "arm64"})
	amd64 := newImage("amd64", "one")
	listed := withSubject(newArtifact("by the fallback tag"), index)
	fallback := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: listed})
	dir = writeLayout(t,
		named(index, "registry.example.com/app:1"),
		named(newImage("amd64", "other"), "registry.example.com/other:1"),
		named(newArtifact("signature"), cosignTag(index, ".sig")),
		named(newArtifact("sbom"), cosignTag(amd64, ".sbom")),
		entry{withSubject(newArtifact("by subject"), amd64), nil},
		named(fallback, cosignTag(index, "")),
	)
	root, sub := must(index.Digest()).String(), must(amd64.Digest()).String()
	return dir, index, []string{
		"index " + sub + " in-toto",
		"tag " + root + " signature",
		"referrer " + root + " by the fallback tag",
		"tag " + sub + " sbom",
		"referrer " + sub + " by subject",
	}
}

func TestLayout(t *testing.T) {
	dir, index, want := fullLayout(t)
	archive := writeTar(t, dir, nil)
	cfg := image.Config{Dir: filepath.Dir(dir), Platforms: []ocispec.Platform{platform("linux/amd64")}}
	for _, source := range []string{
		"oci:" + dir, "oci:" + filepath.Base(dir), "oci:" + dir + ":registry.example.com/app:1",
		"oci-archive:" + archive, "oci-archive:" + archive + ":registry.example.com/app:1", "docker-archive:" + archive,
	} {
		t.Run(source, func(t *testing.T) {
			got := resolve(t, cfg, "registry.example.com/app:1", source)
			if !bytes.Equal(got.Root.Raw, must(index.RawManifest())) || len(got.Manifests) != 1 {
				t.Fatalf("root %s with %d manifests", got.Root.Desc.Digest, len(got.Manifests))
			}
			checkImage(t, got, newImage("amd64", "one"))
			if list := attached(t, got); !slices.Equal(list, want) {
				t.Errorf("attached:\n%s\nwant:\n%s", strings.Join(list, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestLayoutPicks(t *testing.T) {
	a, b := newImage("amd64", "a"), newImage("amd64", "b")
	containerd := func(add any, name, tag string) entry {
		return entry{add, map[string]string{"io.containerd.image.name": name, ocispec.AnnotationRefName: tag}}
	}
	digestOf := func(img v1.Image) string { return must(img.Digest()).String() }
	tests := []struct {
		name    string
		entries []entry
		image   string
		pick    string
		want    v1.Image
		message string
		hint    string
	}{
		{"the only one", []entry{{a, nil}}, "app:1", "", a, "", ""},
		{"the only one, with two names", []entry{named(a, "x"), named(a, "y")}, "app:1", "", a, "", ""},
		{"by own name", []entry{named(b, "b"), named(a, "docker.io/library/app:1")}, "app:1", "", a, "", ""},
		{"by containerd's name", []entry{containerd(b, "docker.io/library/b:1", "1"), containerd(a, "docker.io/library/app:1", "1")}, "app:1", "", a, "", ""},
		{"by tag", []entry{named(b, "2"), named(a, "1")}, "app:1", "", a, "", ""},
		{"by digest", []entry{named(b, "2"), named(a, "1")}, "app@" + digestOf(a), "", a, "", ""},
		{"named", []entry{named(b, "app:1"), named(a, "x")}, "app:1", "x", a, "", ""},
		{"named in full", []entry{named(b, "x"), named(a, "docker.io/library/app:1")}, "y", "app:1", a, "", ""},
		{"no such name", []entry{named(a, "x")}, "app:1", "y", nil, "no image named y", "one of x"},
		{"two of a name", []entry{named(a, "x"), named(b, "x")}, "app:1", "x", nil, "2 different images named x", ""},
		{"several", []entry{named(a, "x"), containerd(b, "docker.io/library/b:2", "2")}, "app:1", "", nil, "several images", ":NAME to the source, one of x, docker.io/library/b:2"},
		{"several without names", []entry{{a, nil}, {b, nil}}, "app:1", "", nil, "several images", "no names"},
		{"none", nil, "app:1", "", nil, "holds no image", ""},
		{"only a signature", []entry{named(a, cosignTag(b, ".sig"))}, "app:1", "", nil, "holds no image", ""},
		{"other digest", []entry{{a, nil}}, "app@" + digestOf(b), "", nil, "holds " + digestOf(a) + " instead", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source := "oci:" + writeLayout(t, tt.entries...)
			if tt.pick != "" {
				source += ":" + tt.pick
			}
			got, err := image.NewResolver(image.Config{}).Resolve(context.Background(), tt.image, source)
			if tt.want == nil {
				checkError(t, err, tt.message, tt.hint, true)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Root.Desc.Digest.String() != digestOf(tt.want) {
				t.Errorf("got %s", got.Root.Desc.Digest)
			}
		})
	}
}

// What cosign save writes has no tags, only kinds.
func TestLayoutByCosignSave(t *testing.T) {
	img := newImage("amd64", "x")
	kind := func(add any, kind string) entry {
		return entry{add, map[string]string{"kind": "dev.cosignproject.cosign/" + kind}}
	}
	dir := writeLayout(t, kind(img, "image"), kind(newArtifact("signature"), "sigs"), kind(newArtifact("attestation"), "atts"))
	sub := must(img.Digest()).String()
	want := []string{"tag " + sub + " signature", "tag " + sub + " attestation"}
	if got := attached(t, resolve(t, image.Config{}, "app:1", "oci:"+dir)); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// A listing of referrers may be out of date; that is no reason to fail.
func TestLayoutStaleReferrers(t *testing.T) {
	img, other := newImage("amd64", "x"), newImage("amd64", "y")
	wrong, absent := withSubject(newArtifact("wrong"), other), withSubject(newArtifact("absent"), img)
	fallback := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: wrong}, mutate.IndexAddendum{Add: absent}, mutate.IndexAddendum{Add: empty.Index})
	dir := writeLayout(t, named(img, "x"), named(fallback, cosignTag(img, "")))
	if err := os.Remove(filepath.Join(dir, "blobs", "sha256", must(absent.Digest()).Hex)); err != nil {
		t.Fatal(err)
	}
	got := resolve(t, image.Config{}, "app:1", "oci:"+dir)
	if len(got.Attached) != 0 || len(got.Notes) != 3 {
		t.Fatalf("attached %v, notes %q", got.Attached, got.Notes)
	}
	for k, want := range []string{"has another subject", "listed but not there", "image.index.v1+json and stays behind"} {
		if !strings.Contains(got.Notes[k], want) {
			t.Errorf("note %q, want %q", got.Notes[k], want)
		}
	}
}

func TestLayoutErrors(t *testing.T) {
	img := newImage("amd64", "x")
	layer := must(must(img.Layers())[0].Digest()).Hex
	config := must(img.ConfigName()).Hex
	tests := []struct {
		name, message string
		spoil         func(dir string) error
	}{
		{"no layout", "not an OCI image layout", func(dir string) error { return os.Remove(filepath.Join(dir, "oci-layout")) }},
		{"another version", "does not say version 1.0.0", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"2"}`), 0o644)
		}},
		{"no index", "not found", func(dir string) error { return os.Remove(filepath.Join(dir, "index.json")) }},
		{"index no JSON", "not JSON", func(dir string) error { return os.WriteFile(filepath.Join(dir, "index.json"), []byte(`]`), 0o644) }},
		{"index a folder", "not a regular file", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "index.json")), os.Mkdir(filepath.Join(dir, "index.json"), 0o755))
		}},
		{"large index", "larger than", func(dir string) error { return os.Truncate(filepath.Join(dir, "index.json"), 5<<20) }},
		{"no config", config + ": ", func(dir string) error { return os.Remove(filepath.Join(dir, "blobs", "sha256", config)) }},
		{"other config", "does not have this digest", func(dir string) error { return flip(filepath.Join(dir, "blobs", "sha256", config)) }},
		{"layer absent", "not found", func(dir string) error { return os.Remove(filepath.Join(dir, "blobs", "sha256", layer)) }},
		{"layer changed", "does not have this digest", func(dir string) error { return flip(filepath.Join(dir, "blobs", "sha256", layer)) }},
		{"layer short", "ends 10 bytes early", func(dir string) error { return grow(filepath.Join(dir, "blobs", "sha256", layer), -10) }},
		{"layer long", "is longer than", func(dir string) error { return grow(filepath.Join(dir, "blobs", "sha256", layer), 1) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := writeLayout(t, named(img, "x"))
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			checkError(t, readAll("oci:"+dir), tt.message, "", true)
			checkError(t, readAll("oci-archive:"+writeTar(t, dir, nil)), strings.Replace(tt.message, "not a regular file", "not found", 1), "", true)
		})
	}
}

// readAll resolves an image and reads every blob of it.
func readAll(source string) error {
	ctx := context.Background()
	img, err := image.NewResolver(image.Config{}).Resolve(ctx, "app:1", source)
	if err != nil {
		return err
	}
	defer img.Close()
	for _, desc := range img.Blobs() {
		rc, err := img.OpenBlob(ctx, desc)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, rc)
		if err := errors.Join(err, rc.Close()); err != nil {
			return err
		}
	}
	return nil
}

func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	return os.WriteFile(path, b, 0o644)
}

func grow(path string, by int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()+by)
}

func TestSourceErrors(t *testing.T) {
	dir := t.TempDir()
	packed := filepath.Join(dir, "packed.tar.gz")
	cut := writeTar(t, writeLayout(t, named(newImage("amd64", "x"), "x")), nil)
	if err := errors.Join(os.WriteFile(packed, []byte{0x1f, 0x8b, 8, 0}, 0o644), os.Truncate(cut, 3*512)); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string][2]string{
		"oci:":                      {"names no path", "oci:PATH:NAME"},
		"oci:" + dir + "/absent":    {"not an OCI image layout", ""},
		"oci-archive:" + dir:        {"is not a regular file", ""},
		"oci-archive:" + dir + "/x": {"not there", ""},
		"oci-archive:" + packed:     {"compressed with gzip", "decompress"},
		"oci-archive:" + cut:        {"not a whole one", ""},
		"docker://Bad:1":            {"not an image reference", "HOST/REPOSITORY:TAG"},
	} {
		_, err := image.NewResolver(image.Config{}).Resolve(context.Background(), "app:1", source)
		checkError(t, err, want[0], want[1], true)
	}
}

// run runs a stock tool.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// What skopeo packs is what we read.
func TestOCIArchiveBySkopeo(t *testing.T) {
	img := newImage("amd64", "x")
	dir := writeLayout(t, named(img, "x"))
	archive := filepath.Join(t.TempDir(), "a.tar")
	run(t, testtools.Skopeo(t), "copy", "oci:"+dir+":x", "oci-archive:"+archive+":registry.example.com/app:1")
	got := resolve(t, image.Config{}, "registry.example.com/app:1", "oci-archive:"+archive)
	checkImage(t, got, img)
}
