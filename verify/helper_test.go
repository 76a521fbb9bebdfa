package verify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
	"github.com/sallyport-dev/sallyport/bundle/sign"
)

// seal makes a small release: one image of one layer, and manifests.
func seal(t testing.TB, change func(*bundle.Descriptor)) (*bundle.Sealed, *bundle.Descriptor) {
	t.Helper()
	blobs := map[digest.Digest][]byte{}
	put := func(b []byte) (digest.Digest, int64) {
		blobs[digest.FromBytes(b)] = b
		return digest.FromBytes(b), int64(len(b))
	}
	layer, layerSize := put([]byte("a layer"))
	config, configSize := put([]byte(`{"architecture":"amd64","os":"linux"}`))
	image, err := json.Marshal(ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: config, Size: configSize},
		Layers:    []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageLayer, Digest: layer, Size: layerSize}},
	})
	if err != nil {
		t.Fatal(err)
	}
	manifest, manifestSize := put(image)
	objects, objectsSize := put([]byte("kind: Namespace\n"))
	d := &bundle.Descriptor{
		APIVersion: bundle.APIVersion, Kind: "Release", Name: "store-platform", Version: "2.4.0", Sequence: 17,
		Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Platforms: []string{"linux/amd64"},
		Images: []bundle.Image{{
			Name: "registry.example.com/app:1", Digest: manifest, Size: manifestSize, MediaType: ocispec.MediaTypeImageManifest,
			Manifests: []bundle.ImageManifest{{
				Digest: manifest, Size: manifestSize, MediaType: ocispec.MediaTypeImageManifest,
				Platform: "linux/amd64", Config: config, Layers: []digest.Digest{layer},
			}},
		}},
		Blobs: []bundle.Blob{
			full(config, configSize, ocispec.MediaTypeImageConfig),
			full(layer, layerSize, ocispec.MediaTypeImageLayer),
		},
		Manifests: bundle.Manifests{Digest: objects, Size: objectsSize, Objects: 1},
	}
	if change != nil {
		change(d)
	}
	var parts []bundle.Part
	for dg, b := range blobs {
		parts = append(parts, bundle.Part{
			Desc: ocispec.Descriptor{Digest: dg, Size: int64(len(b))},
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		})
	}
	s, err := bundle.Seal(bundle.Contents{Descriptor: d, Metadata: parts})
	if err != nil {
		t.Fatal(err)
	}
	return s, d
}

func full(d digest.Digest, size int64, mediaType string) bundle.Blob {
	return bundle.Blob{Digest: d, Size: size, MediaType: mediaType, Form: bundle.FormFull,
		Payload: &bundle.Payload{Digest: d, Size: size}}
}

// newSigner makes a key in memory.
func newSigner(t testing.TB, name string, curve elliptic.Curve) *sign.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sign.New(name, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trust writes the signers' public keys to a file and loads it.
func trust(t testing.TB, name string, signers ...*sign.Signer) *Trust {
	t.Helper()
	var text []byte
	for _, s := range signers {
		p, err := s.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, p...)
	}
	tr, err := LoadTrust(writeFile(t, name, text))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func writeFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// signRelease gives the Sigstore bundle of a release signature.
func signRelease(t testing.TB, s *sign.Signer, release digest.Digest) []byte {
	t.Helper()
	b, err := s.SignRelease(context.Background(), release)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signStatement gives the Sigstore bundle of any statement.
func signStatement(t testing.TB, s *sign.Signer, statement string) []byte {
	t.Helper()
	b, err := s.SignStatement(context.Background(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// provenance gives the Sigstore bundle of a release's provenance.
func provenance(t testing.TB, s *sign.Signer, release digest.Digest, d *bundle.Descriptor) []byte {
	t.Helper()
	b, err := attest.Provenance{Release: release, Descriptor: d, Spec: json.RawMessage("{}")}.Statement()
	if err != nil {
		t.Fatal(err)
	}
	return signStatement(t, s, string(b))
}

// attach makes a signature of a Sigstore bundle.
func attach(t testing.TB, s *bundle.Sealed, text []byte, predicateType string) bundle.Signature {
	t.Helper()
	sig, err := bundle.NewSignature(s.Desc(), text, predicateType)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// read writes the bundle and reads it back.
func read(t testing.TB, s *bundle.Sealed, sigs ...bundle.Signature) *bundle.Reader {
	t.Helper()
	r, err := bundle.NewReader(bytes.NewReader(write(t, s, sigs...)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, s *bundle.Sealed, sigs ...bundle.Signature) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := s.Write(context.Background(), &b, sigs); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wantError checks an Error's reason, and that its text says every one of the words and its hint something.
func wantError(t *testing.T, err error, reason string, words ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want *Error with reason %s", err, reason)
	}
	if e.Reason() != reason {
		t.Errorf("reason %s, want %s: %v", e.Reason(), reason, e)
	}
	if e.Hint() == "" {
		t.Errorf("no hint: %v", e)
	}
	for _, w := range words {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("the text %q does not say %q", e, w)
		}
	}
}
