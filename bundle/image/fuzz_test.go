package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// tarOf packs name and content pairs.
func tarOf(pairs ...string) []byte {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for k := 0; k < len(pairs); k += 2 {
		_ = tw.WriteHeader(&tar.Header{Name: pairs[k], Size: int64(len(pairs[k+1]))}) // into memory
		_, _ = tw.Write([]byte(pairs[k+1]))
	}
	_ = tw.Close()
	return b.Bytes()
}

// layoutSeed is a small layout that resolves, as a tar.
func layoutSeed() []byte {
	desc := func(mediaType, of string) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, digest.FromString(of), len(of))
	}
	config := `{"os":"linux","architecture":"amd64"}`
	manifest := `{"config":` + desc(ocispec.MediaTypeImageConfig, config) + `,"layers":[` + desc(ocispec.MediaTypeImageLayer, "l") + `]}`
	index := `{"manifests":[` + desc(ocispec.MediaTypeImageManifest, manifest) + `]}`
	path := func(s string) string { return "blobs/sha256/" + digest.FromString(s).Encoded() }
	return tarOf("oci-layout", `{"imageLayoutVersion":"1.0.0"}`, "index.json", index, path(manifest), manifest, path(config), config, path("l"), "l")
}

func dockerSeed() []byte {
	return tarOf("manifest.json", `[{"Config":"c","RepoTags":["app:1"],"Layers":["l"]}]`, "l", "l",
		"c", `{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["`+digest.FromString("l").String()+`"]}}`)
}

// loadTar opens an archive as either format and reads all that it resolves to.
func loadTar(b []byte, docker bool) error {
	t, err := indexTar(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	n := bundle.Reference{Host: "docker.io", Repository: "library/app", Tag: "1"}
	var st store
	if docker {
		st, err = openDockerArchive(context.Background(), t, n, "")
	} else {
		st, err = openLayout(t, n, "")
	}
	if err != nil {
		return err
	}
	img := &Image{store: st}
	if err := img.load(context.Background(), n, nil); err != nil {
		return err
	}
	for _, desc := range img.Blobs() {
		rc, err := img.OpenBlob(context.Background(), desc)
		if err != nil {
			return err
		}
		if n, err := io.Copy(io.Discard, rc); err != nil || n != desc.Size {
			return errors.Join(err, errorf("%d bytes, want %d", n, desc.Size))
		}
	}
	return nil
}

func TestSeedsResolve(t *testing.T) {
	if err := loadTar(layoutSeed(), false); err != nil {
		t.Errorf("layout: %v", err)
	}
	if err := loadTar(dockerSeed(), true); err != nil {
		t.Errorf("docker archive: %v", err)
	}
}

// Whatever an archive holds, the answer is an image or an *Error.
func FuzzArchive(f *testing.F) {
	f.Add(layoutSeed(), false)
	f.Add(dockerSeed(), true)
	f.Add(tarOf("../index.json", "x", strings.Repeat("n", 200), ""), false)
	f.Add(tarOf(), true)
	f.Fuzz(func(t *testing.T, b []byte, docker bool) {
		var e *Error
		var missing *MissingError
		if err := loadTar(b, docker); err != nil && !errors.As(err, &e) && !errors.As(err, &missing) && !errors.Is(err, errNotFound) {
			t.Errorf("%v (%T)", err, err)
		}
	})
}
