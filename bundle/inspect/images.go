package inspect

import (
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// ledger charges every payload blob to the first image that needs it.
type ledger struct {
	blobs   map[digest.Digest]*bundle.Blob
	payload map[digest.Digest]int64 // by the digest in the bundle; charged ones are removed
}

// charged tells of the images, and of the operating system.
func charged(r *bundle.Reader) ([]Image, *OS) {
	d := r.Descriptor()
	l := ledger{blobs: map[digest.Digest]*bundle.Blob{}, payload: map[digest.Digest]int64{}}
	for i := range d.Blobs {
		l.blobs[d.Blobs[i].Digest] = &d.Blobs[i]
	}
	for _, p := range r.Layers()[r.MetadataCount():] {
		l.payload[p.Digest] = p.Size
	}
	out := []Image{}
	for i := range d.Images {
		for j := range d.Images[i].Manifests {
			out = append(out, l.image(&d.Images[i], j))
		}
	}
	return out, l.system(d.OS)
}

// image lists the layers of an image, then what else of it is payload: a very large config, and, at the first platform,
// large blobs of attached artifacts.
func (l *ledger) image(im *bundle.Image, i int) Image {
	m := im.Manifests[i]
	x := Image{Name: im.Name, Digest: im.Digest, Manifest: m.Digest, Platform: m.Platform, Blobs: []Blob{}}
	listed := map[digest.Digest]bool{}
	add := func(d digest.Digest) {
		if listed[d] {
			return
		}
		listed[d] = true
		b := l.charge(l.blobs[d])
		x.Payload += b.Bytes
		x.Blobs = append(x.Blobs, b)
	}
	for _, d := range m.Layers {
		add(d)
	}
	others := []digest.Digest{m.Config}
	if i == 0 {
		for _, a := range im.Attached {
			others = append(others, a.Blobs...)
		}
	}
	for _, d := range others {
		if l.isPayload(d) {
			add(d)
		}
	}
	return x
}

func (l *ledger) isPayload(d digest.Digest) bool {
	b := l.blobs[d]
	if b == nil || b.Payload == nil {
		return false
	}
	_, ok := l.payload[b.Payload.Digest]
	return ok
}

func (l *ledger) charge(b *bundle.Blob) Blob {
	x := Blob{Digest: b.Digest, Size: b.Size, Form: b.Form, Note: b.Note}
	if b.Payload != nil && l.isPayload(b.Digest) {
		x.Bytes = l.payload[b.Payload.Digest]
		delete(l.payload, b.Payload.Digest)
		for _, f := range b.Files {
			x.Files = append(x.Files, FileCost(f))
		}
	}
	for _, o := range b.Bases {
		x.Bases = append(x.Bases, o.Digest)
	}
	if len(x.Bases) > 0 {
		x.Base = x.Bases[0]
	}
	if len(x.Bases) == 1 {
		x.Bases = nil
	}
	return x
}
