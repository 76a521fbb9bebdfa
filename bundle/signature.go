package bundle

import (
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// PredicateSignature is the predicate type of the statement by which a key signs a release, as cosign v2.6 writes it.
// Signatures with another one are attestations, such as the provenance.
const PredicateSignature = "https://sigstore.dev/cosign/sign/v1"

// Signature is a Sigstore bundle on a release manifest and the OCI referrer that attaches it, laid out as
// `cosign sign --new-bundle-format` does.
type Signature struct {
	Bundle        []byte // Sigstore bundle v0.3, JSON, verbatim
	PredicateType string // of the statement within; a claim until the bundle has been verified
	Manifest      []byte // the referrer: an OCI image manifest whose subject is the release manifest
}

// NewSignature attaches a Sigstore bundle to a release manifest, of which digest and size count.
func NewSignature(release ocispec.Descriptor, bundleJSON []byte, predicateType string) (Signature, error) {
	if len(bundleJSON) <= len(emptyConfig) || len(bundleJSON) > MaxManifestSize {
		return Signature{}, formatf("a signature has %d bytes, not %d to %d", len(bundleJSON), len(emptyConfig)+1, MaxManifestSize)
	}
	if err := text("the predicate type", predicateType, 1024); err != nil || !strings.Contains(predicateType, ":") {
		return Signature{}, formatf("predicate type %q is not a URI", predicateType)
	}
	m, err := small("a signature's manifest", wireManifest{
		SchemaVersion: 2, MediaType: mediaTypeManifest, ArtifactType: MediaTypeSigstoreBundle,
		Config:      describe(mediaTypeEmpty, []byte(emptyConfig)),
		Layers:      []wireDescriptor{describe(MediaTypeSigstoreBundle, bundleJSON)},
		Subject:     &wireDescriptor{MediaType: mediaTypeManifest, Digest: release.Digest, Size: release.Size},
		Annotations: map[string]string{annotationContent: contentDSSE, annotationPredicateType: predicateType},
	})
	if err != nil {
		return Signature{}, err
	}
	return Signature{Bundle: bundleJSON, PredicateType: predicateType, Manifest: m}, nil
}

// Digest is the digest of the referrer's manifest.
func (s Signature) Digest() digest.Digest { return digest.FromBytes(s.Manifest) }

// Attests tells whether this is an attestation on the release rather than its signature.
func (s Signature) Attests() bool { return s.PredicateType != PredicateSignature }

func (s Signature) descriptor() wireDescriptor {
	w := describe(mediaTypeManifest, s.Manifest)
	w.ArtifactType = MediaTypeSigstoreBundle
	w.Annotations = map[string]string{annotationContent: contentDSSE, annotationPredicateType: s.PredicateType}
	return w
}
