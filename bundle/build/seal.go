package build

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/attest"
	"github.com/sallyport-dev/sallyport/bundle/sign"
)

// created is the release's time.
func (b *builder) created() time.Time {
	if b.Created != nil {
		return b.Created.UTC().Truncate(time.Second)
	}
	newest := time.Unix(0, 0).UTC()
	for _, img := range b.release.images {
		for _, m := range img.Manifests {
			var c struct {
				Created *time.Time `json:"created"`
			}
			// An artifact's config may be anything; it tells no time then.
			if json.Unmarshal(m.Config.Raw, &c) == nil && c.Created != nil && c.Created.After(newest) && c.Created.Year() <= 9999 {
				newest = c.Created.UTC().Truncate(time.Second)
			}
		}
	}
	return newest
}

// describe makes the release descriptor.
func (b *builder) describe() (*bundle.Descriptor, error) {
	sequence, err := b.sequence()
	if err != nil {
		return nil, err
	}
	d := &bundle.Descriptor{
		APIVersion: bundle.APIVersion, Kind: "Release",
		Name: b.spec.Name, Version: b.spec.Version, Sequence: sequence,
		Created: b.created(), Expires: b.spec.Expires, Platforms: b.platformNames(), Plain: b.Plain,
		Manifests: bundle.Manifests{Digest: digest.FromBytes(b.objects), Size: int64(len(b.objects)), Objects: len(b.release.rendered.Objects)},
		Charts:    b.release.charts(),
		SBOMs:     b.sboms, Checks: b.spec.Checks, Requires: b.requires(), CatchUp: b.spec.CatchUp, OneWay: b.spec.OneWay, NoRoll: !b.spec.Roll,
	}
	d.Overlays, d.Labels, d.OS = b.overlays, b.spec.Labels, b.describeOS()
	if !b.Plain {
		for _, k := range b.bases.list {
			d.Bases = append(d.Bases, k.is)
		}
	}
	platforms := make(map[digest.Digest]string)
	for _, img := range b.release.images {
		d.Images = append(d.Images, b.describeImage(img, platforms))
	}
	for _, x := range b.blobs {
		if x.out.Form == bundle.FormFull {
			x.out.Payload = &bundle.Payload{Digest: x.desc.Digest, Size: x.desc.Size}
		}
		d.Blobs = append(d.Blobs, x.out)
	}
	fitCosts(d.Blobs)
	return d, nil
}

func (b *builder) platformNames() []string {
	var names []string
	for _, p := range b.Platforms {
		if n := bundle.FormatPlatform(p); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// describeImage describes an image. platforms remembers what a manifest was said to be for: an index and the manifest's own
// config may spell it differently, and images may share a manifest.
func (b *builder) describeImage(img *released, platforms map[digest.Digest]string) bundle.Image {
	out := bundle.Image{Name: img.name.String(), Digest: img.Root.Desc.Digest, MediaType: img.Root.Desc.MediaType, Size: img.Root.Desc.Size,
		Pinned: img.pinned}
	for _, m := range img.Manifests {
		if platforms[m.Desc.Digest] == "" {
			p := m.Platform
			if p.OS == "" {
				p = b.Platforms[0] // an artifact that runs nowhere
			}
			platforms[m.Desc.Digest] = bundle.FormatPlatform(p)
		}
		out.Manifests = append(out.Manifests, bundle.ImageManifest{Digest: m.Desc.Digest, MediaType: m.Desc.MediaType,
			Size: m.Desc.Size, Platform: platforms[m.Desc.Digest], Config: m.Config.Desc.Digest, Layers: digests(m.Layers)})
	}
	for _, x := range img.Indexes {
		out.Indexes = append(out.Indexes, bundle.InnerIndex{Digest: x.Desc.Digest, MediaType: x.Desc.MediaType, Size: x.Desc.Size})
	}
	for _, a := range img.Attached {
		out.Attached = append(out.Attached, bundle.Attached{Tag: a.Tag, Subject: a.Subject.Digest, Digest: a.Desc.Digest,
			MediaType: a.Desc.MediaType, Size: a.Desc.Size, Blobs: digests(append([]ocispec.Descriptor{a.Config}, a.Layers...)),
			ArtifactType: a.ArtifactType, Annotations: a.Annotations})
	}
	return out
}

func digests(list []ocispec.Descriptor) []digest.Digest {
	out := make([]digest.Digest, len(list))
	for i, d := range list {
		out[i] = d.Digest
	}
	return out
}

// seal gives every blob of the bundle its bytes and fixes the release.
func (b *builder) seal(ctx context.Context, d *bundle.Descriptor) (*bundle.Sealed, error) {
	if len(b.objects) > bundle.MaxObjectsSize {
		return nil, &Error{reason: "manifest", text: fmt.Sprintf("the rendered manifests have %d bytes, more than %d", len(b.objects), bundle.MaxObjectsSize)}
	}
	b.addBytes(d.Manifests.Digest, b.objects)
	for i, o := range d.Overlays {
		b.addBytes(o.Digest, b.overlayDocs[i])
	}
	for _, img := range b.release.images {
		b.addBytes(img.Root.Desc.Digest, img.Root.Raw)
		for _, x := range img.Indexes {
			b.addBytes(x.Desc.Digest, x.Raw)
		}
		for _, m := range img.Manifests {
			b.addBytes(m.Desc.Digest, m.Raw)
		}
		for _, a := range img.Attached {
			b.addBytes(a.Desc.Digest, a.Raw)
		}
	}
	for _, x := range b.blobs {
		if x.out.Form == bundle.FormFull {
			b.add(x.desc, func() (io.ReadCloser, error) { return b.openFull(ctx, x) })
		}
	}
	var c bundle.Contents
	c.Descriptor = d
	metadata, payload := d.Layers()
	for _, l := range append(metadata, payload...) {
		if p, ok := b.parts[l.Digest]; ok {
			c.Payload = append(c.Payload, p) // Seal knows which of them are metadata
		}
	}
	return bundle.Seal(c)
}

// openFull opens what travels in its original form.
func (b *builder) openFull(ctx context.Context, x *blob) (io.ReadCloser, error) {
	if b.staged.has(x.desc.Digest) {
		return b.staged.open(ctx, x.desc, x.open)
	}
	return x.open(ctx)
}

// sign makes the signatures, and after them the provenance. Without a key the provenance waits in the bundle for who signs it
// later; it tells nothing of this one run then, because the same inputs give the same bytes.
func (b *builder) sign(ctx context.Context, s *bundle.Sealed, d *bundle.Descriptor) ([]bundle.Signature, error) {
	p := attest.Provenance{Release: s.Digest(), Descriptor: d, Spec: b.spec.JSON, BuilderVersion: b.Version}
	if len(b.Signers) > 0 {
		p.Invocation, p.Started, p.Finished = b.Invocation, b.started, time.Now()
	}
	statement, err := p.Statement()
	if err != nil {
		return nil, err
	}
	text, err := attest.Unsigned(statement)
	if err != nil {
		return nil, err
	}
	provenance, err := bundle.NewSignature(s.Desc(), text, attest.PredicateProvenance)
	if err != nil {
		return nil, err
	}
	if len(b.Signers) == 0 {
		b.say("unsigned", "no --key was given: no site takes this bundle before somebody signs it (sallyport sign)")
		return []bundle.Signature{provenance}, nil
	}
	signatures, err := sign.Release(ctx, s.Desc(), []bundle.Signature{provenance}, b.Signers...)
	if err != nil {
		return nil, err
	}
	for _, k := range b.Signers {
		b.say("signed", "%s (%s)", k.Name(), k.KeyID())
	}
	return signatures, nil
}
