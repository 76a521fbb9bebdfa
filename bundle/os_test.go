package bundle_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

// TestPartsTravelAsBlobs reads back a release that is an operating system alone: its parts are payload, in the order of the
// blobs, with the digests that they have.
func TestPartsTravelAsBlobs(t *testing.T) {
	raw := bundletest.System().Bytes(t)
	r, err := bundle.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != int64(len(raw)) {
		t.Errorf("the front tells %d bytes of %d", r.Size(), len(raw))
	}
	var got []string
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !e.Metadata {
			got = append(got, e.Desc.MediaType)
		}
	}
	want := []string{bundle.MediaTypePatch, bundle.MediaTypePatch, bundle.MediaTypePart}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("payload %v, want %v", got, want)
	}
	if o := r.Descriptor().OS; o == nil || o.Version != "12.8" || len(o.Parts) != 4 || o.Parts[3].Name != "verity" {
		t.Errorf("the descriptor tells of %+v", o)
	}
}

// TestOneBlobForTwoParts holds where the kernel of both names is the same file.
func TestOneBlobForTwoParts(t *testing.T) {
	r := bundletest.System()
	r.OS.Parts[2] = r.OS.Parts[3]
	r.OS.Parts[2].Name = "second"
	if d := r.Contents(t).Descriptor; d.Validate() != nil || len(d.Blobs) != 3 {
		t.Errorf("%d blobs: %v", len(d.Blobs), d.Validate())
	}
}

func TestOperatingSystemIsChecked(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(d *bundle.Descriptor)
		want   string
	}{
		{"version", func(d *bundle.Descriptor) { d.OS.Version = strings.Repeat("1", 129) }, "version of the operating system"},
		{"no parts", func(d *bundle.Descriptor) { d.OS.Parts = nil }, "0 parts"},
		{"too many", func(d *bundle.Descriptor) { d.OS.Parts = make([]bundle.OSPart, bundle.MaxOSParts+1) }, "17 parts"},
		{"name", func(d *bundle.Descriptor) { d.OS.Parts[0].Name = "../root" }, "not the name of a part"},
		{"order", func(d *bundle.Descriptor) { d.OS.Parts[0], d.OS.Parts[1] = d.OS.Parts[1], d.OS.Parts[0] }, "order of names"},
		{"twice", func(d *bundle.Descriptor) { d.OS.Parts[1].Name = d.OS.Parts[0].Name }, "order of names"},
		{"no blob", func(d *bundle.Descriptor) { d.OS.Parts[0].Digest = digest.FromString("nobody's") }, "not a blob"},
		{"another size", func(d *bundle.Descriptor) { d.OS.Parts[0].Size++ }, "not a blob"},
		{"another type", func(d *bundle.Descriptor) { d.Blobs[0].MediaType = "application/octet-stream" }, "not a blob"},
		{"of nobody", func(d *bundle.Descriptor) { d.OS.Parts = d.OS.Parts[1:] }, "belongs to no image and no part"},
		{"without os", func(d *bundle.Descriptor) { d.OS = nil }, "belongs to no image and no part"},
		{"too large", func(d *bundle.Descriptor) { d.Blobs[1].Size = bundle.MaxPartSize + 1 }, "not between 0 and 34359738368"},
		{"base too large", func(d *bundle.Descriptor) { d.Blobs[2].Bases[0].Size = bundle.MaxPartSize + 1 }, "not between 0 and 34359738368"},
		{"base that is expanded", func(d *bundle.Descriptor) { d.Blobs[2].Bases[0].PlainSize++ }, "never expanded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := bundletest.System().Contents(t).Descriptor
			if err := d.Validate(); err != nil {
				t.Fatal(err)
			}
			test.change(d)
			if err := d.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestPartsMayBeLarge holds what a part may have and a layer may not: more than a USTAR header can tell.
func TestPartsMayBeLarge(t *testing.T) {
	d := bundletest.System().Contents(t).Descriptor
	d.Blobs[3].Size, d.Blobs[3].Payload.Size, d.OS.Parts[3].Size = bundle.MaxPartSize, bundle.MaxPartSize, bundle.MaxPartSize
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	l := bundletest.Delta().Contents(t).Descriptor
	l.Blobs[1].Size = bundle.MaxBlobSize + 1
	if err := l.Validate(); err == nil {
		t.Error("a layer of more than 8 GiB is taken")
	}
}

// TestImagesHaveNoParts refuses an image whose layer is a part: it could be larger than any mirror takes.
func TestImagesHaveNoParts(t *testing.T) {
	d := bundletest.Delta().Contents(t).Descriptor
	d.Blobs[1].MediaType = bundle.MediaTypePart
	if err := d.Validate(); err == nil || !strings.Contains(err.Error(), "is a part of an operating system") {
		t.Errorf("got %v", err)
	}
}

// TestSBOMOfPart holds the documents of a part beside those of images.
func TestSBOMOfPart(t *testing.T) {
	d := bundletest.System().Contents(t).Descriptor
	d.SBOMs = []bundle.SBOM{{Image: d.OS.Parts[2].Digest, Format: "spdx", Digest: digest.FromString("document"), Size: 8, Form: bundle.FormFull}}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	d.SBOMs[0].Image = digest.FromString("nobody's")
	if err := d.Validate(); err == nil || !strings.Contains(err.Error(), "no such part") {
		t.Errorf("got %v", err)
	}
}
