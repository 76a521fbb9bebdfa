package inspect

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Inspection is the object of `sallyport inspect --json`. Scripts rely on its fields. Sizes are in bytes; no list is null.
type Inspection struct {
	APIVersion   string      `json:"apiVersion"`
	Kind         string      `json:"kind"` // always "Inspection"
	Release      Release     `json:"release"`
	Bases        []Base      `json:"bases"`
	Signatures   []Signature `json:"signatures"`
	Bytes        Bytes       `json:"bytes"`
	Images       []Image     `json:"images"`
	OS           *OS         `json:"os,omitempty"` // nil: the release leaves the operating system as it is
	Manifests    int         `json:"manifests"`    // Kubernetes objects
	Attestations int         `json:"attestations"` // on the release and on its images
	SBOMs        int         `json:"sboms"`        // documents, those that the base has included
	Platforms    []string    `json:"platforms"`
	Plain        bool        `json:"plain"`
	Checks       []string    `json:"checks"` // names
	Overlays     []Overlay   `json:"overlays"`
	// Labels are the labels that the release knows, each with its values.
	Labels map[string][]string `json:"labels,omitempty"`
}

// Release tells which release a bundle is.
type Release struct {
	Name     string        `json:"name"`
	Version  string        `json:"version"`
	Sequence uint64        `json:"sequence"`
	Digest   digest.Digest `json:"digest"` // of the release manifest
	// Identity is the same in every bundle of the release.
	Identity digest.Digest `json:"identity"`
	Created  time.Time     `json:"created"`
	Expires  *time.Time    `json:"expires,omitempty"`
}

// Base is a release that the site must hold.
type Base struct {
	Digest   digest.Digest `json:"digest"`
	Identity digest.Digest `json:"identity,omitempty"` // empty in bundles of older programs
	Name     string        `json:"name"`
	Version  string        `json:"version"`
	Sequence uint64        `json:"sequence"`
}

// Bytes is what a bundle costs. Bundle is Metadata and Payload together.
type Bytes struct {
	Bundle   int64 `json:"bundle"`
	Metadata int64 `json:"metadata"` // all but the payload: tar headers, manifests, SBOMs, signatures
	Payload  int64 `json:"payload"`  // the payload blobs, as they travel
	Original int64 `json:"original"` // every blob of the images and every part once, in its original form
	// Delivered is the part of Original that this bundle delivers: all that is not reused.
	Delivered int64 `json:"delivered"`
}

// Image is one image for one platform.
type Image struct {
	Name     string        `json:"name"`
	Digest   digest.Digest `json:"digest"` // what the name resolves to: this manifest, or an index
	Manifest digest.Digest `json:"manifest"`
	Platform string        `json:"platform"`
	Payload  int64         `json:"payload"` // the sum of Blobs' Bytes
	Blobs    []Blob        `json:"blobs"`
}

// Blob is a layer, or another blob of an image that travels as payload. Bytes is what it costs in this bundle: a blob that
// several images share is counted at the first and is 0 at the others, so that the sum over all images and parts is Bytes.Payload.
type Blob struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
	Form   bundle.Form   `json:"form"`
	Bytes  int64         `json:"bytes"`
	// Base is the first of the old blobs that a delta needs; Bases are all, where there are several.
	Base  digest.Digest   `json:"base,omitempty"`
	Bases []digest.Digest `json:"bases,omitempty"`
	// Note says why the blob does not travel smaller.
	Note string `json:"note,omitempty"`
	// Files are the files that cost the most of Bytes, the dearest first; none where the blob is not charged here.
	Files []FileCost `json:"files,omitempty"`
}

// FileCost is a file of a layer and what its change costs in the bundle.
type FileCost struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Why   string `json:"why"`
}

// Inspect tells what is in the bundle that r has begun to read. It reads nothing more.
func Inspect(r *bundle.Reader) *Inspection {
	d := r.Descriptor()
	x := &Inspection{
		APIVersion: bundle.APIVersion, Kind: "Inspection",
		Release: Release{Name: d.Name, Version: d.Version, Sequence: d.Sequence, Digest: r.ReleaseDigest(), Identity: d.Identity(),
			Created: d.Created, Expires: d.Expires},
		Bases: []Base{}, Signatures: signatures(r.Signatures()), Bytes: weigh(r),
		Manifests: d.Manifests.Objects, Attestations: attestations(r), SBOMs: len(d.SBOMs), Platforms: d.Platforms, Plain: d.Plain,
		Checks: []string{}, Overlays: overlays(d), Labels: d.Labels,
	}
	x.Images, x.OS = charged(r)
	for _, b := range d.Bases {
		x.Bases = append(x.Bases, Base(b))
	}
	for _, c := range d.Checks {
		x.Checks = append(x.Checks, c.Name)
	}
	return x
}

func weigh(r *bundle.Reader) Bytes {
	b := Bytes{Bundle: r.Size()}
	for _, l := range r.Layers()[r.MetadataCount():] {
		b.Payload += l.Size
	}
	b.Metadata = b.Bundle - b.Payload
	for _, o := range r.Descriptor().Blobs {
		b.Original += o.Size
		if o.Form != bundle.FormReuse {
			b.Delivered += o.Size
		}
	}
	return b
}
