package bundle

import (
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layers are the blobs that a bundle of this release carries beside its manifest, its descriptor and its signatures,
// in the order in which they stand there. A blob that has several parts to play is listed once, at the first.
//
// Metadata: for each image its index or manifest, the indexes inside it, the image manifests, their configs, the attached artifacts' manifests and
// their small blobs; then the rendered objects; then the overlays; then the SBOMs. Payload: what remains of Blobs, in that order.
func (d *Descriptor) Layers() (metadata, payload []ocispec.Descriptor) {
	l := &layerList{seen: map[digest.Digest]bool{}, blobs: make(map[digest.Digest]*Blob, len(d.Blobs))}
	for i := range d.Blobs {
		l.blobs[d.Blobs[i].Digest] = &d.Blobs[i]
	}
	for i := range d.Images {
		l.image(&d.Images[i])
	}
	l.add(MediaTypeObjects, d.Manifests.Digest, d.Manifests.Size)
	for _, o := range d.Overlays {
		l.add(MediaTypeOverlay, o.Digest, o.Size)
	}
	for _, s := range d.SBOMs {
		if s.Form == FormFull {
			l.add(sbomMediaTypes[s.Format], s.Digest, s.Size)
		}
	}
	n := len(l.out)
	for i := range d.Blobs {
		l.payload(&d.Blobs[i])
	}
	return l.out[:n:n], l.out[n:]
}

// sbomMediaTypes gives the media type of each SBOM format.
var sbomMediaTypes = map[string]string{"spdx": MediaTypeSPDX, "cyclonedx": MediaTypeCycloneDX}

type layerList struct {
	seen  map[digest.Digest]bool
	blobs map[digest.Digest]*Blob
	out   []ocispec.Descriptor
}

func (l *layerList) add(mediaType string, d digest.Digest, size int64) {
	if l.seen[d] {
		return
	}
	l.seen[d] = true
	l.out = append(l.out, ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: size})
}

func (l *layerList) image(im *Image) {
	l.add(im.MediaType, im.Digest, im.Size)
	for _, x := range im.Indexes {
		l.add(x.MediaType, x.Digest, x.Size)
	}
	for _, m := range im.Manifests {
		l.add(m.MediaType, m.Digest, m.Size)
	}
	for _, m := range im.Manifests {
		l.small(m.Config)
	}
	for _, a := range im.Attached {
		l.add(a.MediaType, a.Digest, a.Size)
	}
	for _, a := range im.Attached {
		for _, d := range a.Blobs {
			l.small(d)
		}
	}
}

// small adds a config or an attached artifact's blob, if it travels as it is and is small enough to be held in memory.
func (l *layerList) small(d digest.Digest) {
	if b := l.blobs[d]; b != nil && b.Form == FormFull && b.Size <= MaxManifestSize {
		l.add(b.MediaType, b.Digest, b.Size)
	}
}

func (l *layerList) payload(b *Blob) {
	switch {
	case b.Payload == nil:
	case b.Form == FormFull:
		l.add(b.MediaType, b.Digest, b.Size)
	default:
		l.add(MediaTypePatch, b.Payload.Digest, b.Payload.Size)
	}
}

// namesEmptyConfig tells whether the empty JSON object is one of the layers, as it is when an attached artifact has it
// for its config.
func (d *Descriptor) namesEmptyConfig() bool {
	for i := range d.Blobs {
		if b := &d.Blobs[i]; b.Form == FormFull && b.Digest == emptyConfigDigest {
			return true
		}
	}
	return false
}
