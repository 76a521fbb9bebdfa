package image

import (
	"context"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Manifest is the raw bytes of a manifest or index, and what names them.
type Manifest struct {
	Desc ocispec.Descriptor // media type, digest, size; nothing else
	Raw  []byte
}

// PlatformManifest is an image for one platform.
type PlatformManifest struct {
	Manifest
	// Platform is what the image says it is for. Its OS is empty for an artifact that runs nowhere.
	Platform ocispec.Platform
	Config   Manifest
	Layers   []ocispec.Descriptor // in the manifest's order
}

// Attachment is how an artifact belongs to an image.
type Attachment string

const (
	// ByTag is cosign's tag scheme: the artifact's tag is derived from the digest of what it belongs to.
	ByTag Attachment = "tag"
	// ByReferrer is an artifact whose manifest names its subject.
	ByReferrer Attachment = "referrer"
	// ByIndex is an attestation that the image's own index lists (BuildKit).
	ByIndex Attachment = "index"
)

// Artifact is a signature, an attestation, an SBOM or the like that belongs to an image.
type Artifact struct {
	Manifest
	Attachment Attachment
	Tag        string             // for ByTag: sha256-<hex>.sig
	Subject    ocispec.Descriptor // what it belongs to
	Config     ocispec.Descriptor
	Layers     []ocispec.Descriptor
	// ArtifactType and Annotations are what a listing of referrers says of it.
	ArtifactType string
	Annotations  map[string]string
}

// Image is an image of one or several platforms. Close it after the last blob was read.
type Image struct {
	// Name is the image's canonical name (CanonicalName).
	Name string
	// Root is what the name resolves to. If it is no index, it is the only one of Manifests too.
	Root      Manifest
	Manifests []PlatformManifest // in the index's order
	// Indexes are those inside Root that lead to Manifests, each after those inside it.
	Indexes  []Manifest
	Attached []Artifact
	// Notes are sentences for people about what was left behind.
	Notes []string

	store store
}

// Close releases the source.
func (i *Image) Close() error { return i.store.Close() }

// OpenBlob opens a config or layer of the image or of an attached artifact. The reader fails instead of ending if the
// bytes are not what the descriptor names.
func (i *Image) OpenBlob(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	if err := checkDescriptor(desc); err != nil {
		return nil, err
	}
	rc, err := i.store.blob(ctx, desc)
	if err != nil {
		return nil, err
	}
	return newVerifier(rc, desc), nil
}

// Blobs lists every blob of the image and its attached artifacts once: configs and layers, in the order of the
// manifests.
func (i *Image) Blobs() []ocispec.Descriptor {
	var blobs []ocispec.Descriptor
	seen := make(map[string]bool)
	add := func(descs ...ocispec.Descriptor) {
		for _, d := range descs {
			if !seen[d.Digest.String()] {
				seen[d.Digest.String()] = true
				blobs = append(blobs, d)
			}
		}
	}
	for _, m := range i.Manifests {
		add(m.Config.Desc)
		add(m.Layers...)
	}
	for _, a := range i.Attached {
		add(a.Config)
		add(a.Layers...)
	}
	return blobs
}
