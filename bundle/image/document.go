package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

const (
	// maxDocument is the size in bytes of the largest manifest, index or image config: what registries accept.
	maxDocument = bundle.MaxManifestSize
	// maxBlob is the size in bytes of the largest blob: what a USTAR header can name.
	maxBlob = 8589934591
	// maxManifests bounds the entries of an index, maxLayers the layers of a manifest.
	maxManifests = 4096
	maxLayers    = 4096
)

// Docker's names of what OCI calls manifest, index and config.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerSchema1  = "application/vnd.docker.distribution.manifest.v1+"
)

// store is where an image's bytes are. Its readers need not check digests.
type store interface {
	// root finds the image that was asked for.
	root(ctx context.Context) (Manifest, error)
	// manifest and blob open what a descriptor names; what is not there wraps errNotFound.
	manifest(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error)
	blob(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error)
	// tagged finds a manifest by a tag beside the image's own; if there is none, the error wraps errNotFound.
	tagged(ctx context.Context, tag string) (Manifest, error)
	// referrers lists the manifests that may have d as their subject.
	referrers(ctx context.Context, d digest.Digest) ([]ocispec.Descriptor, error)
	Close() error
}

// document is what manifests and indexes of all kinds have in common.
type document struct {
	MediaType    string               `json:"mediaType"`
	ArtifactType string               `json:"artifactType"`
	Config       *ocispec.Descriptor  `json:"config"`
	Layers       []ocispec.Descriptor `json:"layers"`
	Manifests    []ocispec.Descriptor `json:"manifests"`
	Subject      *ocispec.Descriptor  `json:"subject"`
	Annotations  map[string]string    `json:"annotations"`
}

// isIndex reports whether a media type is that of an index.
func isIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == dockerIndex
}

// isManifest reports whether a media type is that of an image manifest, which artifacts use too.
func isManifest(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageManifest || mediaType == dockerManifest
}

// parse reads a manifest or index that a site takes, and checks every descriptor in it.
func parse(m Manifest) (*document, error) {
	if err := bundle.CheckManifest(m.Raw); err != nil {
		return nil, &Error{Problem: fmt.Sprintf("no mirror takes its manifest %s", m.Desc.Digest), Err: err,
			Advice: "build the image with fewer layers and annotations, or its index with fewer entries"}
	}
	var doc document
	if err := json.Unmarshal(m.Raw, &doc); err != nil {
		return nil, &Error{Problem: fmt.Sprintf("manifest %s is not JSON of the right form", m.Desc.Digest), Err: err}
	}
	if doc.MediaType != "" && doc.MediaType != m.Desc.MediaType {
		return nil, errorf("manifest %s says it is %s, but it is named as %s", m.Desc.Digest, doc.MediaType, m.Desc.MediaType)
	}
	switch mt := m.Desc.MediaType; {
	case isIndex(mt):
		return &doc, doc.checkIndex(m.Desc.Digest)
	case isManifest(mt):
		return &doc, doc.checkManifest(m.Desc.Digest)
	case strings.HasPrefix(mt, dockerSchema1):
		return nil, &Error{Problem: "it is in Docker's schema 1 format, which no current runtime reads",
			Advice: "push the image again with a current tool"}
	default:
		return nil, errorf("manifest %s has the media type %q, which is not that of an image", m.Desc.Digest, mt)
	}
}

// checkIndex refuses an index that could also be read as a manifest, and descriptors that cannot be.
func (d *document) checkIndex(name digest.Digest) error {
	if d.Config != nil || d.Layers != nil {
		return errorf("index %s has a config or layers as a manifest has", name)
	}
	if len(d.Manifests) > maxManifests {
		return errorf("index %s has more than %d manifests", name, maxManifests)
	}
	return checkDescriptors(d.Manifests)
}

func (d *document) checkManifest(name digest.Digest) error {
	switch {
	case d.Manifests != nil:
		return errorf("manifest %s lists manifests as an index does", name)
	case d.Config == nil:
		return errorf("manifest %s has no config", name)
	case len(d.Layers) > maxLayers:
		return errorf("manifest %s has more than %d layers", name, maxLayers)
	}
	if err := checkDescriptor(*d.Config); err != nil {
		return err
	}
	return checkDescriptors(d.Layers)
}

func checkDescriptors(descs []ocispec.Descriptor) error {
	for _, desc := range descs {
		if err := checkDescriptor(desc); err != nil {
			return err
		}
	}
	return nil
}

func checkDescriptor(desc ocispec.Descriptor) error {
	if err := desc.Digest.Validate(); err != nil || desc.Digest.Algorithm() != digest.SHA256 {
		return errorf("%q is not a sha256 digest", desc.Digest)
	}
	if desc.Size < 0 || desc.Size > maxBlob {
		return errorf("blob %s has the size %d, which is not between 0 and %d bytes", desc.Digest, desc.Size, int64(maxBlob))
	}
	return nil
}

// bare leaves of a descriptor what names bytes.
func bare(desc ocispec.Descriptor) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}
}

// newManifest names raw bytes. A media type in the bytes goes before the one from outside.
func newManifest(raw []byte, mediaType string) Manifest {
	var doc document
	if bundle.CheckManifest(raw) == nil && json.Unmarshal(raw, &doc) == nil && doc.MediaType != "" { // else it fails later, in parse
		mediaType = doc.MediaType
	}
	return Manifest{Raw: raw, Desc: describe(raw, mediaType)}
}

func describe(raw []byte, mediaType string) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.SHA256.FromBytes(raw), Size: int64(len(raw))}
}

// fetch reads a manifest or config that a descriptor names, by one of the store's two ways.
func fetch(ctx context.Context, desc ocispec.Descriptor,
	open func(context.Context, ocispec.Descriptor) (io.ReadCloser, error)) (Manifest, error) {
	if err := checkDescriptor(desc); err != nil {
		return Manifest{}, err
	}
	if desc.Size > maxDocument {
		return Manifest{}, errorf("%s is %d bytes; a manifest or config may have %d", desc.Digest, desc.Size, maxDocument)
	}
	rc, err := open(ctx, desc)
	if err != nil {
		return Manifest{}, err
	}
	r := newVerifier(rc, desc)
	raw, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return Manifest{Desc: bare(desc), Raw: raw}, err
}

// readDocument reads JSON whose size nobody has promised.
func readDocument(r io.Reader, what string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if len(raw) > maxDocument {
		return nil, errorf("%s is larger than %d bytes", what, maxDocument)
	}
	return raw, nil
}
