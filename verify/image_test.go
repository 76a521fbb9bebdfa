package verify

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// pushImage pushes an image of one layer and gives its digest.
func pushImage(t *testing.T, repo name.Repository, content string) digest.Digest {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content), types.DockerLayer))
	if err != nil {
		t.Fatal(err)
	}
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(repo.Digest(d.String()), image); err != nil {
		t.Fatal(err)
	}
	return digest.Digest(d.String())
}

func TestImageSignatureOfStockCosign(t *testing.T) {
	dir, repo := cosignDir(t), repository(t)
	ours, theirs := cosignTrust(t, dir), cosignTrust(t, cosignDir(t))
	signArgs := []string{"sign", "--yes", "--key", "cosign.key", "--tlog-upload=false"}
	for _, tt := range []struct {
		name     string
		args     []string
		attached func(image digest.Digest) []Artifact
	}{
		{"tag scheme", nil, func(image digest.Digest) []Artifact {
			return []Artifact{artifact(t, repo.Tag("sha256-"+image.Encoded()+".sig"))}
		}},
		{"Sigstore bundle", []string{"--new-bundle-format"}, func(image digest.Digest) []Artifact { return referrers(t, repo, image) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			image := pushImage(t, repo, tt.name)
			cosign(t, dir, append(append(signArgs, tt.args...), repo.Digest(image.String()).String())...)
			attached := tt.attached(image)

			signer, err := ImageSignature(context.Background(), image, attached, ours)
			if err != nil {
				t.Fatal(err)
			}
			if signer != ours.Signers()[0] {
				t.Errorf("signer %v, want %v", signer, ours.Signers()[0])
			}
			_, err = ImageSignature(context.Background(), image, attached, theirs)
			wantError(t, err, ReasonSignature, image.String(), theirs.names())
			elsewhere := digest.FromString("another image")
			_, err = ImageSignature(context.Background(), elsewhere, attached, ours)
			wantError(t, err, ReasonSignature, image.String(), elsewhere.String())
		})
	}
}

func TestImageSignatureRefuses(t *testing.T) {
	us := newSigner(t, "us", elliptic.P256())
	accepted := trust(t, "us.pub", us)
	image := digest.FromString("image")
	text := signRelease(t, us, image)
	sbom := signStatement(t, us, statementOf("https://spdx.dev/Document", image))
	layer := func(mediaType string, b []byte) ocispec.Descriptor {
		return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	}
	errStick := errors.New("no such stick")
	for _, tt := range []struct {
		name   string
		layers []ocispec.Descriptor
		blob   []byte
		open   error
		reason string // empty: not an *Error
		want   string
	}{
		{"nothing attached", nil, nil, nil, ReasonUnsigned, "is not signed"},
		{"an SBOM only", []ocispec.Descriptor{layer(bundle.MediaTypeSigstoreBundle, sbom)}, sbom, nil, ReasonUnsigned, "is not signed"},
		{"other artifacts only", []ocispec.Descriptor{layer("text/plain", text)}, text, nil, ReasonUnsigned, "is not signed"},
		{"no signature bytes", []ocispec.Descriptor{layer(mediaTypeSimpleSigning, text)}, text, nil, ReasonSignature, "no signature bytes"},
		{"garbage", []ocispec.Descriptor{layer(bundle.MediaTypeSigstoreBundle, []byte("x"))}, []byte("x"), nil, ReasonSignature, "not a JSON object"},
		{"too many", make([]ocispec.Descriptor, maxLayers+1), nil, nil, ReasonSignature, "more than 256 layers"},
		{"other bytes", []ocispec.Descriptor{layer(bundle.MediaTypeSigstoreBundle, text)}, sbom, nil, "", "not what its digest says"},
		{"unreadable", []ocispec.Descriptor{layer(bundle.MediaTypeSigstoreBundle, text)}, nil, errStick, "", errStick.Error()},
		{"huge", []ocispec.Descriptor{{MediaType: mediaTypeSimpleSigning, Digest: image, Size: 1 << 40}}, nil, nil, "", "bytes, not 0 to"},
		{"negative size", []ocispec.Descriptor{{MediaType: mediaTypeSimpleSigning, Digest: image, Size: -1}}, nil, nil, "", "bytes, not 0 to"},
		{"bad digest", []ocispec.Descriptor{{MediaType: mediaTypeSimpleSigning, Digest: "x"}}, nil, nil, "", "invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := json.Marshal(ocispec.Manifest{Layers: tt.layers})
			if err != nil {
				t.Fatal(err)
			}
			a := Artifact{Manifest: raw, Open: func(context.Context, digest.Digest) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(tt.blob)), tt.open
			}}
			_, err = ImageSignature(context.Background(), image, []Artifact{a}, accepted)
			if tt.reason != "" {
				wantError(t, err, tt.reason, tt.want, image.String())
				return
			}
			var e *Error
			if errors.As(err, &e) || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want a plain one that says %q", err, tt.want)
			}
		})
	}
	_, err := ImageSignature(context.Background(), image, []Artifact{{Manifest: []byte("x")}}, accepted)
	wantError(t, err, ReasonSignature, "manifest does not parse")
	_, err = ImageSignature(context.Background(), image, nil, nil)
	wantError(t, err, ReasonUsage, "no key")
}
