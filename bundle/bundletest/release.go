// Package bundletest makes small bundles for tests. Everything in them follows from the inputs, so that two runs make the
// same bytes.
package bundletest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Release is what to make a bundle of. The zero value of each field has a use; see Descriptor.
type Release struct {
	Name      string // default store-platform
	Version   string // default 2.4.0
	Sequence  uint64 // default 17
	Platforms []string
	Plain     bool
	Expires   *time.Time
	Bases     []bundle.Base
	Images    []Image
	Objects   string    // a multi-document YAML stream
	Count     int       // of objects; default 1 where there are any
	Overlays  []Overlay // in the order of bundle.CompareOverlays
	Labels    map[string][]string
	OS        *OS // nil: none
	SBOMs     []SBOM
	Checks    []bundle.Check
	Requires  *bundle.Requires
}

// Image is an image to put in.
type Image struct {
	Name      string
	Platforms []string // default linux/amd64; more than one make an index
	Layers    []Layer  // the same for every platform
	Attached  []Artifact
}

// Layer is a layer. Bytes is the original; Payload is what travels for a delta or a recompressed one.
type Layer struct {
	Bytes   []byte
	Form    bundle.Form // default full
	Payload []byte
	Bases   []bundle.BaseBlob
	Note    string
}

// Artifact is something attached to an image: a tag suffix such as ".sig", or none for a referrer.
type Artifact struct {
	Suffix       string
	ArtifactType string
	Annotations  map[string]string
	Blob         []byte
}

// Overlay is an overlay with its edits, of which it says that there is one.
type Overlay struct {
	Name  string
	Match map[string]string
	Edits []byte
}

// OS is an operating system. Its parts are in the order of their names.
type OS struct {
	Version string
	Parts   []OSPart
}

// OSPart is one part: how it travels is told as of a layer.
type OSPart struct {
	Name string
	Layer
}

// SBOM is a document on the first image manifest of an image, or on a part of the operating system.
type SBOM struct {
	Image  string // os/root is the part root
	Format string // default spdx
	Bytes  []byte // compressed
	Reuse  bool
}

// Part makes a part of bytes.
func Part(b []byte) bundle.Part {
	return bundle.Part{
		Desc: ocispec.Descriptor{Digest: digest.FromBytes(b), Size: int64(len(b))},
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
	}
}

// Seal makes the release.
func (r Release) Seal(t testing.TB) *bundle.Sealed {
	t.Helper()
	s, err := bundle.Seal(r.Contents(t))
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return s
}

// Bytes is the whole bundle, with a stand-in for a signature for each predicate type.
func (r Release) Bytes(t testing.TB, predicateTypes ...string) []byte {
	t.Helper()
	s := r.Seal(t)
	var sigs []bundle.Signature
	for _, p := range predicateTypes {
		sigs = append(sigs, Signature(t, s.Desc(), p))
	}
	return Write(t, s, sigs...)
}

// Signed is the whole bundle with one signature, which sign makes of the release's digest: that of a *sign.Signer is SignRelease.
func (r Release) Signed(t testing.TB, sign func(context.Context, digest.Digest) ([]byte, error)) []byte {
	t.Helper()
	s := r.Seal(t)
	signed, err := sign(context.Background(), s.Digest())
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	sig, err := bundle.NewSignature(s.Desc(), signed, bundle.PredicateSignature)
	if err != nil {
		t.Fatalf("signature: %v", err)
	}
	return Write(t, s, sig)
}

// Write is the bytes of a bundle with signatures.
func Write(t testing.TB, s *bundle.Sealed, sigs ...bundle.Signature) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := s.Write(context.Background(), &b, sigs)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	if n != int64(b.Len()) {
		t.Fatalf("write told %d bytes and wrote %d", n, b.Len())
	}
	return b.Bytes()
}

// Signature is laid out like a signature; no key made it.
func Signature(t testing.TB, release ocispec.Descriptor, predicateType string) bundle.Signature {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"mediaType": bundle.MediaTypeSigstoreBundle,
		"verificationMaterial": map[string]any{"publicKey": map[string]string{
			"hint": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}},
		"dsseEnvelope": map[string]string{"payloadType": "application/vnd.in-toto+json", "payload": predicateType},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := bundle.NewSignature(release, b, predicateType)
	if err != nil {
		t.Fatalf("signature: %v", err)
	}
	return s
}
