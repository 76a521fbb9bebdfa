package bundle_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

const provenance = "https://slsa.dev/provenance/v1"

// readAll reads a bundle to its end and gives the blobs in order.
func readAll(r io.Reader) (*bundle.Reader, [][]byte, error) {
	b, err := bundle.NewReader(r)
	if err != nil {
		return nil, nil, err
	}
	var blobs [][]byte
	for {
		e, err := b.Next()
		if errors.Is(err, io.EOF) {
			return b, blobs, nil
		}
		if err != nil {
			return b, blobs, err
		}
		body, err := io.ReadAll(e)
		if err != nil {
			return b, blobs, err
		}
		blobs = append(blobs, body)
	}
}

func samples() map[string]bundletest.Release {
	return map[string]bundletest.Release{"minimal": bundletest.Minimal(), "delta": bundletest.Delta(), "nothing": {}}
}

func TestRoundTrip(t *testing.T) {
	for name, release := range samples() {
		t.Run(name, func(t *testing.T) {
			sealed := release.Seal(t)
			file := release.Bytes(t, bundle.PredicateSignature, provenance)
			// One byte at a time: no reader may depend on how the bytes come.
			r, blobs, err := readAll(iotest.OneByteReader(bytes.NewReader(file)))
			if err != nil {
				t.Fatal(err)
			}
			if r.ReleaseDigest() != sealed.Digest() || !bytes.Equal(r.ManifestBytes(), sealed.ManifestBytes()) {
				t.Error("another release came out than went in")
			}
			if !bytes.Equal(r.DescriptorBytes(), sealed.DescriptorBytes()) {
				t.Error("another descriptor came out than went in")
			}
			if len(blobs) != len(r.Layers()) {
				t.Fatalf("%d blobs came, %d were named", len(blobs), len(r.Layers()))
			}
			for i, l := range r.Layers() {
				if l.Digest.Algorithm().FromBytes(blobs[i]) != l.Digest {
					t.Errorf("blob %d is not %s", i, l.Digest)
				}
			}
			if r.Size() != int64(len(file)) {
				t.Errorf("the front tells a size of %d, the bundle has %d", r.Size(), len(file))
			}
			if sigs := r.Signatures(); len(sigs) != 2 || sigs[0].Attests() || !sigs[1].Attests() {
				t.Errorf("the signatures came out wrong: %v", sigs)
			}
		})
	}
}

func TestReleaseDigestIsReproducible(t *testing.T) {
	a, b := bundletest.Delta().Seal(t), bundletest.Delta().Seal(t)
	if a.Digest() != b.Digest() || !bytes.Equal(bundletest.Write(t, a), bundletest.Write(t, b)) {
		t.Error("the same release has two forms")
	}
	c := bundletest.Delta().Contents(t)
	c.Metadata, c.Payload = c.Payload, c.Metadata
	s, err := bundle.Seal(c)
	if err != nil {
		t.Fatal(err)
	}
	if s.Digest() != a.Digest() {
		t.Error("the order in which parts are given changes the release")
	}
}

// A bundle is an OCI image layout to those who know nothing of sallyport.
func TestBundleIsImageLayout(t *testing.T) {
	file := bundletest.Minimal().Bytes(t, bundle.PredicateSignature)
	files := map[string][]byte{}
	tr := tar.NewReader(bytes.NewReader(file))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := files[h.Name]; twice {
			t.Errorf("%s stands in the tar twice", h.Name)
		}
		files[h.Name] = body
	}
	var index ocispec.Index
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range index.Manifests {
		names = append(names, m.Annotations[ocispec.AnnotationRefName])
		var manifest ocispec.Manifest
		if err := json.Unmarshal(files["blobs/sha256/"+m.Digest.Encoded()], &manifest); err != nil {
			t.Fatalf("manifest %s: %v", m.Digest, err)
		}
		for _, l := range append(manifest.Layers, manifest.Config) {
			if got := int64(len(files["blobs/sha256/"+l.Digest.Encoded()])); got != l.Size {
				t.Errorf("blob %s has %d bytes, not %d", l.Digest, got, l.Size)
			}
		}
	}
	if got := strings.Join(names, " "); got != "store-platform:2.4.0  registry.example.com/pick-engine:2.4.0" {
		t.Errorf("the index names %q", got)
	}
}

func TestAddSignature(t *testing.T) {
	for name, release := range samples() {
		t.Run(name, func(t *testing.T) {
			sealed := release.Seal(t)
			first := bundletest.Signature(t, sealed.Desc(), bundle.PredicateSignature)
			second := bundletest.Signature(t, sealed.Desc(), provenance)
			var got bytes.Buffer
			err := bundle.AddSignature(context.Background(), bytes.NewReader(bundletest.Write(t, sealed, first)), &got, second)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), bundletest.Write(t, sealed, first, second)) {
				t.Error("signing later gives other bytes than signing at once")
			}
			err = bundle.AddSignature(context.Background(), bytes.NewReader(got.Bytes()), io.Discard, second)
			wantReason(t, err, "format", "already has the signature")
		})
	}
}

func TestAddSignatureOfAnotherRelease(t *testing.T) {
	sig := bundletest.Signature(t, bundletest.Delta().Seal(t).Desc(), bundle.PredicateSignature)
	file := bundletest.Minimal().Bytes(t)
	err := bundle.AddSignature(context.Background(), bytes.NewReader(file), io.Discard, sig)
	wantReason(t, err, "format", "belongs to another release")
}

func TestTooManySignatures(t *testing.T) {
	s := bundletest.Minimal().Seal(t)
	var sigs []bundle.Signature
	for i := range bundle.MaxSignatures + 1 {
		sigs = append(sigs, bundletest.Signature(t, s.Desc(), "https://example.com/"+strings.Repeat("x", i)))
	}
	_, err := s.Write(context.Background(), io.Discard, sigs)
	wantReason(t, err, "format", "17 signatures")
	if _, err := s.Write(context.Background(), io.Discard, sigs[:bundle.MaxSignatures]); err != nil {
		t.Errorf("16 signatures: %v", err)
	}
}

func TestWriteRefusesWrongParts(t *testing.T) {
	broken := errors.New("the stick was pulled")
	tests := []struct {
		name string
		open func() (io.ReadCloser, error)
		want string
	}{
		{"other bytes", opens("the only layer of pick-EngIne"), "have the digest"},
		{"too short", opens("the only"), "have the digest"},
		{"too long", opens(strings.Repeat("long", 100)), "more than"},
		{"cannot open", func() (io.ReadCloser, error) { return nil, broken }, broken.Error()},
		{"cannot read", func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }, broken.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := bundletest.Minimal().Contents(t)
			c.Payload[0].Open = tt.open
			s, err := bundle.Seal(c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = s.Write(context.Background(), io.Discard, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func opens(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func TestSealRefusesMissingAndExtraParts(t *testing.T) {
	c := bundletest.Minimal().Contents(t)
	layer := c.Payload[0]
	c.Payload = nil
	_, err := bundle.Seal(c)
	wantReason(t, err, "format", "described and not given")
	c.Payload = []bundle.Part{layer, bundletest.Part([]byte("stowaway"))}
	_, err = bundle.Seal(c)
	wantReason(t, err, "format", "given and not described")
	layer.Desc.Size++
	c.Payload = []bundle.Part{layer}
	_, err = bundle.Seal(c)
	wantReason(t, err, "format", "given with 30 bytes")
	_, err = bundle.Seal(bundle.Contents{})
	wantReason(t, err, "format", "needs a descriptor")
}

func TestWriteStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bundletest.Minimal().Seal(t).Write(ctx, io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// wantReason checks the stable word of an error and a piece of its text.
func wantReason(t *testing.T, err error, reason, text string) {
	t.Helper()
	var e *bundle.Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want a bundle.Error with reason %s", err, reason)
		return
	}
	if e.Reason() != reason || !strings.Contains(e.Error(), text) {
		t.Errorf("got %s: %v, want %s: …%s…", e.Reason(), e, reason, text)
	}
}
