package verify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

const (
	// mediaTypeSimpleSigning marks the layers of cosign's tag scheme (sha256-<hex>.sig).
	mediaTypeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	// annotationSignature holds such a layer's signature, in base64.
	annotationSignature = "dev.cosignproject.cosign/signature"
	// maxLayers bounds how many signatures one artifact may hold.
	maxLayers = 256
)

// Artifact is something attached to an image: by a tag of cosign's tag scheme, or as an OCI referrer.
type Artifact struct {
	// Manifest is the artifact's OCI image manifest.
	Manifest []byte
	// Open gives one of the blobs that it names. Its bytes need not have been compared with the digest.
	Open func(ctx context.Context, blob digest.Digest) (io.ReadCloser, error)
}

// ImageSignature tells which accepted key signed an image, by the cosign signatures among its artifacts: those of the tag
// scheme, and Sigstore bundles. It needs no network beyond what Open does. An image without signatures is an *Error with
// Reason "unsigned", one that only others signed "signature".
func ImageSignature(ctx context.Context, image digest.Digest, artifacts []Artifact, t *Trust) (Signer, error) {
	if t == nil || len(t.keys) == 0 {
		return Signer{}, refuse(ReasonUsage, hintTrust, "there is no key to verify image %s with", image)
	}
	var faults []string
	for _, a := range artifacts {
		signer, err := t.artifactSigner(ctx, image, a)
		var fault imageFault
		switch {
		case err == nil:
			return signer, nil
		case errors.As(err, &fault):
			faults = append(faults, fault...)
		default:
			return Signer{}, fmt.Errorf("signatures of image %s: %w", image, err)
		}
	}
	if len(faults) == 0 {
		return Signer{}, refuse(ReasonUnsigned, hintImage(t), "image %s is not signed; accepted keys: %s", image, t.names())
	}
	return Signer{}, refuse(ReasonSignature, hintImage(t), "image %s is not signed by an accepted key: %s; accepted keys: %s",
		image, some(faults, "; "), t.names())
}

// imageFault says why none of an artifact's signatures counts. It is empty if the artifact has none.
type imageFault []string

func (f imageFault) Error() string { return some(f, "; ") }

// artifactSigner gives the accepted key behind one of the artifact's signatures. Without one the error is an imageFault;
// other errors mean that a signature could not be read.
func (t *Trust) artifactSigner(ctx context.Context, image digest.Digest, a Artifact) (Signer, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(a.Manifest, &m); err != nil {
		return Signer{}, imageFault{fmt.Sprintf("an attached artifact's manifest does not parse: %v", err)}
	}
	if len(m.Layers) > maxLayers {
		return Signer{}, imageFault{fmt.Sprintf("an attached artifact has more than %d layers", maxLayers)}
	}
	var faults imageFault
	for _, layer := range m.Layers {
		check := imageCheck(layer.MediaType)
		if check == nil {
			continue
		}
		blob, err := readBlob(ctx, a, layer)
		if err != nil {
			return Signer{}, err
		}
		signer, err := check(t, image, layer, blob)
		if err == nil {
			return signer, nil
		}
		if !errors.Is(err, errOtherStatement) {
			faults = append(faults, err.Error())
		}
	}
	return Signer{}, faults
}

func hintImage(t *Trust) string {
	return "have the image signed with cosign sign, or name the public key of whoever signed it instead of " + t.keys[0].Name
}

// errOtherStatement is for Sigstore bundles that say something else of the image, such as an SBOM.
var errOtherStatement = errors.New("a statement that is not a signature")

// imageCheck gives the way to check a layer of this type, or nil if it is no signature.
func imageCheck(mediaType string) func(*Trust, digest.Digest, ocispec.Descriptor, []byte) (Signer, error) {
	switch mediaType {
	case mediaTypeSimpleSigning:
		return (*Trust).simpleSigning
	case bundle.MediaTypeSigstoreBundle:
		return (*Trust).imageBundle
	}
	return nil
}

// simpleSigning checks a signature of the tag scheme: the layer is what was signed.
func (t *Trust) simpleSigning(image digest.Digest, layer ocispec.Descriptor, payload []byte) (Signer, error) {
	signature, err := base64.StdEncoding.DecodeString(layer.Annotations[annotationSignature])
	if err != nil || len(signature) == 0 {
		return Signer{}, errors.New("a signature has no signature bytes")
	}
	k := t.signerOf(newMessage(payload), signature)
	if k == nil {
		return Signer{}, errors.New("a signature is by another key")
	}
	var signed struct {
		Critical struct {
			Image struct {
				Digest digest.Digest `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	if err := json.Unmarshal(payload, &signed); err != nil {
		return Signer{}, fmt.Errorf("the payload that %s signed does not parse: %w", k.Signer, err)
	}
	if got := signed.Critical.Image.Digest; got != image {
		return Signer{}, fmt.Errorf("%s signed %.128q, not this image", k.Signer, got)
	}
	return k.Signer, nil
}

// imageBundle checks a Sigstore bundle.
func (t *Trust) imageBundle(image digest.Digest, _ ocispec.Descriptor, text []byte) (Signer, error) {
	if e, err := parseEnvelope(text); err == nil {
		if s, err := parseStatement(e.payload); err == nil && s.predicateType != bundle.PredicateSignature {
			return Signer{}, errOtherStatement
		}
	}
	f := t.judge(image, bundle.Signature{Bundle: text, PredicateType: bundle.PredicateSignature})
	if f.signer == nil {
		return Signer{}, errors.New(f.String())
	}
	return f.signer.Signer, nil
}

// readBlob reads a small blob and compares it with its descriptor.
func readBlob(ctx context.Context, a Artifact, layer ocispec.Descriptor) ([]byte, error) {
	if err := layer.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("blob %.128q: %w", layer.Digest, err)
	}
	if layer.Size < 0 || layer.Size > bundle.MaxManifestSize {
		return nil, fmt.Errorf("blob %s is said to have %d bytes, not 0 to %d", layer.Digest, layer.Size, bundle.MaxManifestSize)
	}
	r, err := a.Open(ctx, layer.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, layer.Size+1))
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", layer.Digest, err)
	}
	if int64(len(b)) != layer.Size || layer.Digest.Algorithm().FromBytes(b) != layer.Digest {
		return nil, fmt.Errorf("blob %s is not what its digest says", layer.Digest)
	}
	return b, nil
}
