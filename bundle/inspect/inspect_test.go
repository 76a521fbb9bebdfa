package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
)

var update = flag.Bool("update", false, "write the golden files again")

const provenance = "https://slsa.dev/provenance/v1"

func reader(t testing.TB, r bundletest.Release) *bundle.Reader {
	t.Helper()
	b, err := bundle.NewReader(bytes.NewReader(r.Bytes(t, bundle.PredicateSignature, provenance)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func contents(t testing.TB, r bundletest.Release) *inspect.Contents {
	t.Helper()
	c, err := inspect.Read(context.Background(), reader(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// golden compares v with a file that scripts could have been written against.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.TrimSpace(string(want)) {
		t.Errorf("%s is now\n%s", name, got)
	}
}

func TestInspectGolden(t *testing.T) {
	golden(t, "delta.json", inspect.Inspect(reader(t, bundletest.Delta())))
}

func TestBytesAddUp(t *testing.T) {
	for name, release := range map[string]bundletest.Release{"minimal": bundletest.Minimal(), "delta": bundletest.Delta(), "system": bundletest.System(), "nothing": {}} {
		t.Run(name, func(t *testing.T) {
			x := inspect.Inspect(reader(t, release))
			if x.Bytes.Bundle != int64(len(release.Bytes(t, bundle.PredicateSignature, provenance))) {
				t.Errorf("the bundle is told to have %d bytes", x.Bytes.Bundle)
			}
			if x.Bytes.Metadata+x.Bytes.Payload != x.Bytes.Bundle {
				t.Errorf("%d and %d are not %d", x.Bytes.Metadata, x.Bytes.Payload, x.Bytes.Bundle)
			}
			var payload int64
			for _, im := range x.Images {
				var sum int64
				for _, b := range im.Blobs {
					sum += b.Bytes
				}
				if sum != im.Payload {
					t.Errorf("%s %s: the blobs cost %d, the image %d", im.Name, im.Platform, sum, im.Payload)
				}
				payload += sum
			}
			if x.OS != nil {
				for _, p := range x.OS.Parts {
					payload += p.Bytes
				}
			}
			if payload != x.Bytes.Payload {
				t.Errorf("the images and parts cost %d, the payload has %d", payload, x.Bytes.Payload)
			}
		})
	}
}

func TestSharedBlobIsChargedOnce(t *testing.T) {
	x := inspect.Inspect(reader(t, bundletest.Delta()))
	shared := x.Images[0].Blobs[1].Digest
	var costs []int64
	for _, im := range x.Images {
		for _, b := range im.Blobs {
			if b.Digest == shared {
				costs = append(costs, b.Bytes)
			}
		}
	}
	if !slices.Equal(costs, []int64{int64(len("patch of the shared layer")), 0, 0}) {
		t.Errorf("the shared blob costs %v", costs)
	}
}

func TestNoListIsNull(t *testing.T) {
	b, err := json.Marshal(inspect.Inspect(reader(t, bundletest.Release{})))
	if err != nil {
		t.Fatal(err)
	}
	c := contents(t, bundletest.Release{})
	d, err := inspect.Compare(c, c)
	if err != nil {
		t.Fatal(err)
	}
	b2, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("null")) || bytes.Contains(b2, []byte("null")) {
		t.Errorf("a list is null:\n%s\n%s", b, b2)
	}
}

func TestKeyID(t *testing.T) {
	x := inspect.Inspect(reader(t, bundletest.Minimal()))
	if len(x.Signatures) != 1 || x.Signatures[0].KeyID != "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU" {
		t.Errorf("signatures: %v", x.Signatures)
	}
	if x.Attestations != 1 {
		t.Errorf("%d attestations, want the provenance", x.Attestations)
	}
}

func TestFiles(t *testing.T) {
	r := reader(t, bundletest.Delta())
	files := inspect.Files(r)
	if len(files) != len(r.Layers()) {
		t.Fatalf("%d files, %d blobs", len(files), len(r.Layers()))
	}
	i := slices.IndexFunc(files, func(f inspect.File) bool {
		return f.Digest == digest.FromString("patch of the shared layer")
	})
	if i < 0 || files[i].Metadata || files[i].Blob == "" || files[i].MediaType != bundle.MediaTypePatch {
		t.Errorf("the patch is not told of: %v", files)
	}
}
