package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Names that stand in a bundle's OCI documents.
const (
	// AnnotationMetadata, on the release manifest, tells how many of its layers are metadata.
	AnnotationMetadata = "dev.sallyport.metadata"

	annotationRefName       = "org.opencontainers.image.ref.name"
	annotationContent       = "dev.sigstore.bundle.content"
	annotationPredicateType = "dev.sigstore.bundle.predicateType"
	contentDSSE             = "dsse-envelope"

	mediaTypeEmpty = "application/vnd.oci.empty.v1+json"
	emptyConfig    = "{}"
	ociLayout      = `{"imageLayoutVersion":"1.0.0"}`
)

// emptyConfigDigest is the digest of emptyConfig.
const emptyConfigDigest digest.Digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

// The OCI documents of a bundle. They have types of their own, since the order of the fields is part of the format and
// must not change when a library's does.
type (
	wireDescriptor struct {
		MediaType    string            `json:"mediaType"`
		Digest       digest.Digest     `json:"digest"`
		Size         int64             `json:"size"`
		Annotations  map[string]string `json:"annotations,omitempty"`
		ArtifactType string            `json:"artifactType,omitempty"`
	}
	wireManifest struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		ArtifactType  string            `json:"artifactType"`
		Config        wireDescriptor    `json:"config"`
		Layers        []wireDescriptor  `json:"layers"`
		Subject       *wireDescriptor   `json:"subject,omitempty"`
		Annotations   map[string]string `json:"annotations"`
	}
	wireIndex struct {
		SchemaVersion int              `json:"schemaVersion"`
		MediaType     string           `json:"mediaType"`
		Manifests     []wireDescriptor `json:"manifests"`
	}
)

func describe(mediaType string, b []byte) wireDescriptor {
	return wireDescriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
}

func (w wireDescriptor) oci() ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: w.MediaType, Digest: w.Digest, Size: w.Size, Annotations: w.Annotations,
		ArtifactType: w.ArtifactType}
}

// releaseManifest is the release manifest of d, whose bytes are config.
func releaseManifest(d *Descriptor, config []byte) ([]byte, error) {
	return small("the release manifest", makeManifest(d, config))
}

func makeManifest(d *Descriptor, config []byte) wireManifest {
	metadata, payload := d.Layers()
	m := wireManifest{SchemaVersion: 2, MediaType: mediaTypeManifest, ArtifactType: ArtifactType,
		Config:      describe(MediaTypeDescriptor, config),
		Annotations: map[string]string{AnnotationMetadata: strconv.Itoa(len(metadata))}}
	for _, l := range append(metadata, payload...) {
		m.Layers = append(m.Layers, wireDescriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size})
	}
	return m
}

// index is index.json: the release, its signatures and, in a plain bundle, its images by name.
func index(d *Descriptor, manifest []byte, sigs []Signature) ([]byte, error) {
	return small("index.json", makeIndex(d, manifest, sigs))
}

func makeIndex(d *Descriptor, manifest []byte, sigs []Signature) wireIndex {
	release := describe(mediaTypeManifest, manifest)
	release.ArtifactType = ArtifactType
	release.Annotations = map[string]string{annotationRefName: d.Name + ":" + d.Version}
	x := wireIndex{SchemaVersion: 2, MediaType: mediaTypeIndex, Manifests: []wireDescriptor{release}}
	for _, s := range sigs {
		x.Manifests = append(x.Manifests, s.descriptor())
	}
	if d.Plain {
		for _, im := range d.Images {
			x.Manifests = append(x.Manifests, wireDescriptor{MediaType: im.MediaType, Digest: im.Digest, Size: im.Size,
				Annotations: map[string]string{annotationRefName: im.Name}})
		}
	}
	return x
}

// small encodes a document that registries and readers hold in memory.
func small(what string, v any) ([]byte, error) {
	b, err := canonical(v)
	if err != nil {
		return nil, formatf("encode %s: %w", what, err)
	}
	if len(b) > MaxManifestSize {
		return nil, formatf("%s has %d bytes, more than %d: the release has too many images or blobs", what, len(b), MaxManifestSize)
	}
	return b, nil
}

// Of a bundle's OCI documents a reader decodes what it needs to go on. The whole is made again later, and compared.
type (
	blobRef struct {
		MediaType    string        `json:"mediaType"`
		Digest       digest.Digest `json:"digest"`
		Size         int64         `json:"size"`
		ArtifactType string        `json:"artifactType"`
	}
	indexHead struct {
		Manifests firstRefs `json:"manifests"`
	}
	manifestHead struct {
		Config blobRef `json:"config"`
	}
	signatureHead struct {
		Layers      []blobRef `json:"layers"`
		Annotations struct {
			PredicateType string `json:"dev.sigstore.bundle.predicateType"`
		} `json:"annotations"`
	}
)

// firstRefs are the release and the signatures, by which a list begins, and whatever comes then.
type firstRefs []blobRef

// UnmarshalJSON decodes no more of the list than a reader looks at.
func (f *firstRefs) UnmarshalJSON(b []byte) error {
	*f = nil
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return errors.New("manifests is not a list")
	}
	for dec.More() && len(*f) < MaxSignatures+2 {
		var r blobRef
		if err := dec.Decode(&r); err != nil {
			return err
		}
		*f = append(*f, r)
		if len(*f) > 1 && r.ArtifactType != MediaTypeSigstoreBundle {
			break
		}
	}
	return nil
}

func (r blobRef) oci() ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: r.MediaType, Digest: r.Digest, Size: r.Size}
}
