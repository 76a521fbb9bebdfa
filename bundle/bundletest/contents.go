package bundletest

import (
	"cmp"
	"encoding/json"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

const layerMediaType = "application/vnd.oci.image.layer.v1.tar+gzip"

// maker gathers what a bundle is made of.
type maker struct {
	t    testing.TB
	d    *bundle.Descriptor
	c    bundle.Contents
	seen map[digest.Digest]bool
}

// Contents describes the release and gathers its parts.
func (r Release) Contents(t testing.TB) bundle.Contents {
	t.Helper()
	m := &maker{t: t, seen: map[digest.Digest]bool{}, d: &bundle.Descriptor{
		APIVersion: bundle.APIVersion, Kind: "Release",
		Name: cmp.Or(r.Name, "store-platform"), Version: cmp.Or(r.Version, "2.4.0"), Sequence: cmp.Or(r.Sequence, 17),
		Created: time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC), Expires: r.Expires,
		Platforms: r.Platforms, Plain: r.Plain, Bases: r.Bases, Checks: r.Checks, Requires: r.Requires,
	}}
	if m.d.Platforms == nil {
		m.d.Platforms = []string{"linux/amd64"}
	}
	for _, im := range r.Images {
		m.image(im)
	}
	m.operatingSystem(r.OS)
	m.d.Manifests = bundle.Manifests{Digest: digest.FromString(r.Objects), Size: int64(len(r.Objects))}
	if r.Objects != "" {
		m.d.Manifests.Objects = cmp.Or(r.Count, 1)
	}
	m.metadata([]byte(r.Objects))
	m.d.Labels = r.Labels
	for _, o := range r.Overlays {
		m.d.Overlays = append(m.d.Overlays, bundle.Overlay{Name: o.Name, Match: o.Match, Edits: 1,
			Digest: digest.FromBytes(o.Edits), Size: int64(len(o.Edits))})
		m.metadata(o.Edits)
	}
	for _, s := range r.SBOMs {
		m.sbom(s)
	}
	m.c.Descriptor = m.d
	return m.c
}

func (m *maker) json(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

func (m *maker) metadata(b []byte) {
	if d := digest.FromBytes(b); !m.seen[d] {
		m.seen[d] = true
		m.c.Metadata = append(m.c.Metadata, Part(b))
	}
}

func (m *maker) image(im Image) {
	platforms := im.Platforms
	if platforms == nil {
		platforms = []string{"linux/amd64"}
	}
	out := bundle.Image{Name: im.Name}
	var roots []ocispec.Descriptor
	var raw []byte
	for _, p := range platforms {
		var desc ocispec.Descriptor
		out.Manifests = append(out.Manifests, m.manifest(im, p, &desc, &raw))
		roots = append(roots, desc)
	}
	out.Digest, out.MediaType, out.Size = roots[0].Digest, roots[0].MediaType, roots[0].Size
	if len(roots) > 1 {
		raw = m.json(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: roots})
		out.Digest, out.MediaType, out.Size = digest.FromBytes(raw), ocispec.MediaTypeImageIndex, int64(len(raw))
		m.metadata(raw)
	}
	for _, a := range im.Attached {
		out.Attached = append(out.Attached, m.attached(out, a))
	}
	m.d.Images = append(m.d.Images, out)
}

func (m *maker) manifest(im Image, platform string, desc *ocispec.Descriptor, raw *[]byte) bundle.ImageManifest {
	p, err := bundle.ParsePlatform(platform)
	if err != nil {
		m.t.Fatal(err)
	}
	config := m.json(ocispec.Image{Platform: p, RootFS: ocispec.RootFS{Type: "layers"}})
	man := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: m.blob(Layer{Bytes: config}, ocispec.MediaTypeImageConfig, true)}
	out := bundle.ImageManifest{MediaType: ocispec.MediaTypeImageManifest, Platform: platform, Config: man.Config.Digest}
	for _, l := range im.Layers {
		man.Layers = append(man.Layers, m.blob(l, layerMediaType, false))
		out.Layers = append(out.Layers, digest.FromBytes(l.Bytes))
	}
	*raw = m.json(man)
	m.metadata(*raw)
	out.Digest, out.Size = digest.FromBytes(*raw), int64(len(*raw))
	*desc = ocispec.Descriptor{MediaType: out.MediaType, Digest: out.Digest, Size: out.Size, Platform: &p}
	return out
}

func (m *maker) operatingSystem(o *OS) {
	if o == nil {
		return
	}
	m.d.OS = &bundle.OS{Version: o.Version}
	for _, p := range o.Parts {
		desc := m.blob(p.Layer, bundle.MediaTypePart, false)
		m.d.OS.Parts = append(m.d.OS.Parts, bundle.OSPart{Name: p.Name, Digest: desc.Digest, Size: desc.Size})
	}
}

func (m *maker) attached(im bundle.Image, a Artifact) bundle.Attached {
	config := m.blob(Layer{Bytes: []byte("{}")}, ocispec.MediaTypeEmptyJSON, true)
	blob := m.blob(Layer{Bytes: a.Blob}, cmp.Or(a.ArtifactType, "application/octet-stream"), true)
	subject := ocispec.Descriptor{MediaType: im.MediaType, Digest: im.Digest, Size: im.Size}
	raw := m.json(ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: a.ArtifactType, Config: config, Layers: []ocispec.Descriptor{blob}, Subject: &subject, Annotations: a.Annotations})
	m.metadata(raw)
	out := bundle.Attached{Subject: im.Digest, Digest: digest.FromBytes(raw), MediaType: ocispec.MediaTypeImageManifest,
		Size: int64(len(raw)), Blobs: []digest.Digest{config.Digest, blob.Digest}, ArtifactType: a.ArtifactType, Annotations: a.Annotations}
	if a.Suffix != "" {
		out.Tag = "sha256-" + im.Digest.Encoded() + a.Suffix
	}
	return out
}

// blob lists a blob of an image and adds what travels for it.
func (m *maker) blob(l Layer, mediaType string, small bool) ocispec.Descriptor {
	d := digest.FromBytes(l.Bytes)
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(l.Bytes))}
	if m.seen[d] {
		return desc
	}
	m.seen[d] = true
	b := bundle.Blob{Digest: d, Size: desc.Size, MediaType: mediaType, Form: cmp.Or(l.Form, bundle.FormFull), Bases: l.Bases, Note: l.Note}
	payload := l.Payload
	if b.Form == bundle.FormFull {
		payload = l.Bytes
	}
	if b.Form != bundle.FormReuse {
		p := Part(payload)
		b.Payload = &bundle.Payload{Digest: p.Desc.Digest, Size: p.Desc.Size}
		if small {
			m.c.Metadata = append(m.c.Metadata, p)
		} else {
			m.c.Payload = append(m.c.Payload, p)
		}
	}
	m.d.Blobs = append(m.d.Blobs, b)
	return desc
}

func (m *maker) sbom(s SBOM) {
	out := bundle.SBOM{Format: cmp.Or(s.Format, "spdx"), Digest: digest.FromBytes(s.Bytes), Size: int64(len(s.Bytes)),
		Form: bundle.FormFull}
	for _, im := range m.d.Images {
		if im.Name == s.Image {
			out.Image = im.Manifests[0].Digest
		}
	}
	if m.d.OS != nil {
		for _, p := range m.d.OS.Parts {
			if "os/"+p.Name == s.Image {
				out.Image = p.Digest
			}
		}
	}
	if s.Reuse {
		out.Form = bundle.FormReuse
	} else {
		m.metadata(s.Bytes)
	}
	m.d.SBOMs = append(m.d.SBOMs, out)
}
