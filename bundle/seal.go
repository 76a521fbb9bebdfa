package bundle

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Contents is what Seal makes a bundle of.
type Contents struct {
	Descriptor *Descriptor
	// Metadata and Payload hold, in any order, a part for every blob that Descriptor.Layers names, and no other.
	Metadata, Payload []Part
}

// Part is a blob of a bundle. Of Desc the digest and the size count; the media type follows from the descriptor.
type Part struct {
	Desc ocispec.Descriptor
	// Open gives the bytes, once for each time the bundle is written.
	Open func() (io.ReadCloser, error)
}

// Sealed is a release whose bytes are fixed, apart from its signatures.
type Sealed struct {
	descriptor *Descriptor
	config     []byte
	manifest   []byte
	layers     []Part
}

// Seal fixes the bytes of a release. It reads no part: Write compares each with its digest.
func Seal(c Contents) (*Sealed, error) {
	if c.Descriptor == nil {
		return nil, formatf("a release needs a descriptor")
	}
	named := *c.Descriptor
	named.ID = identify(&named)
	config, err := named.Marshal()
	if err != nil {
		return nil, err
	}
	manifest, err := releaseManifest(&named, config)
	if err != nil {
		return nil, err
	}
	// What is kept must be what was marshalled, even if the caller goes on to change what it gave.
	d, err := ParseDescriptor(config)
	if err != nil {
		return nil, err
	}
	s := &Sealed{descriptor: d, config: config, manifest: manifest}
	if err := s.arrange(slices.Concat(c.Metadata, c.Payload)); err != nil {
		return nil, err
	}
	return s, nil
}

// arrange puts the parts in the order of the release manifest.
func (s *Sealed) arrange(parts []Part) error {
	byDigest := make(map[digest.Digest]Part, len(parts))
	for _, p := range parts {
		if old, ok := byDigest[p.Desc.Digest]; ok && old.Desc.Size != p.Desc.Size {
			return formatf("two parts of %s have different sizes, %d and %d", p.Desc.Digest, old.Desc.Size, p.Desc.Size)
		}
		byDigest[p.Desc.Digest] = p
	}
	metadata, payload := s.descriptor.Layers()
	for _, l := range append(metadata, payload...) {
		p, ok := byDigest[l.Digest]
		if !ok {
			return formatf("blob %s (%s, %d bytes) is described and not given", l.Digest, l.MediaType, l.Size)
		}
		if p.Open == nil {
			return formatf("blob %s is given without its bytes", l.Digest)
		}
		if p.Desc.Size != l.Size {
			return formatf("blob %s is given with %d bytes and described with %d", l.Digest, p.Desc.Size, l.Size)
		}
		delete(byDigest, l.Digest)
		s.layers = append(s.layers, Part{Desc: l, Open: p.Open})
	}
	for d := range byDigest {
		return formatf("blob %s is given and not described", d)
	}
	return nil
}

// Digest is the digest of the release manifest: what signatures sign.
func (s *Sealed) Digest() digest.Digest { return digest.FromBytes(s.manifest) }

// ManifestBytes is the release manifest. The caller must not change it.
func (s *Sealed) ManifestBytes() []byte { return s.manifest }

// DescriptorBytes is the release descriptor as the bundle carries it. The caller must not change it.
func (s *Sealed) DescriptorBytes() []byte { return s.config }

// Desc describes the release manifest, as NewSignature wants it.
func (s *Sealed) Desc() ocispec.Descriptor {
	return describe(mediaTypeManifest, s.manifest).oci()
}

// Write writes the bundle and says how many bytes it has. Two calls with equal signatures write equal bytes.
func (s *Sealed) Write(ctx context.Context, w io.Writer, sigs []Signature) (int64, error) {
	t := &tarWriter{w: w}
	if err := t.front(s.descriptor, s.config, s.manifest, sigs); err != nil {
		return t.n, err
	}
	for _, p := range s.layers {
		if err := t.part(ctx, p); err != nil {
			return t.n, fmt.Errorf("write blob %s: %w", p.Desc.Digest, err)
		}
	}
	return t.n, t.end()
}
