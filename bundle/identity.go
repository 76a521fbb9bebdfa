package bundle

import (
	"cmp"
	"crypto/sha256"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
)

// The byte form of which a release's identity is the digest: one line of canonical JSON for the release, and one for each of
// its images, in the order of their names. docs/format.md is normative. Line by line, so that the form of a large release
// never stands in memory as a whole.
type (
	identityHead struct {
		APIVersion string        `json:"apiVersion"`
		Kind       string        `json:"kind"` // "Identity"
		Name       string        `json:"name"`
		Version    string        `json:"version"`
		Sequence   uint64        `json:"sequence"`
		Platforms  []string      `json:"platforms"` // sorted
		Manifests  digest.Digest `json:"manifests"` // the rendered objects
		OS         *OS           `json:"os,omitempty"`
		Charts     []Chart       `json:"charts,omitempty"`
		Checks     []Check       `json:"checks,omitempty"`
		Requires   *Requires     `json:"requires,omitempty"`
		CatchUp    string        `json:"catchUp,omitempty"`
		OneWay     []ObjectRef   `json:"oneWay,omitempty"`
		NoRoll     bool          `json:"noRoll,omitempty"`

		Overlays []identityOverlay   `json:"overlays,omitempty"`
		Labels   map[string][]string `json:"labels,omitempty"`
	}
	identityOverlay struct {
		Name   string            `json:"name"`
		Match  map[string]string `json:"match"`
		Digest digest.Digest     `json:"digest"`
	}
	identityImage struct {
		Name      string             `json:"name"`
		Digest    digest.Digest      `json:"digest"`
		Manifests []identityManifest `json:"manifests"` // sorted by digest
	}
	identityManifest struct {
		Digest   digest.Digest `json:"digest"`
		Platform string        `json:"platform"`
	}
)

// Identity is what the release is, whichever bundle brings it: the digest of what it delivers. Bundles against other bases,
// plain ones, ones that were built or signed again or that expire later have the same; that is, what a site would run does not
// depend on anything that the identity leaves out.
func (d *Descriptor) Identity() digest.Digest {
	if d.ID != "" {
		return d.ID // ParseDescriptor has compared it
	}
	return identify(d)
}

// identify computes the identity of d.
func identify(d *Descriptor) digest.Digest {
	h := sha256.New()
	var overlays []identityOverlay
	for _, o := range d.Overlays {
		overlays = append(overlays, identityOverlay{o.Name, o.Match, o.Digest})
	}
	writeLine(h, identityHead{APIVersion: APIVersion, Kind: "Identity", Name: d.Name, Version: d.Version, Sequence: d.Sequence,
		Platforms: slices.Sorted(slices.Values(d.Platforms)), Manifests: d.Manifests.Digest, OS: d.OS, Charts: d.Charts,
		Checks: d.Checks, Requires: d.Requires, CatchUp: d.CatchUp, OneWay: d.OneWay, NoRoll: d.NoRoll,
		Overlays: overlays, Labels: d.Labels})
	byName := make([]*Image, len(d.Images))
	for i := range d.Images {
		byName[i] = &d.Images[i]
	}
	slices.SortFunc(byName, func(a, b *Image) int { return cmp.Compare(a.Name, b.Name) })
	for _, im := range byName {
		x := identityImage{Name: im.Name, Digest: im.Digest, Manifests: []identityManifest{}}
		for _, m := range im.Manifests {
			x.Manifests = append(x.Manifests, identityManifest{m.Digest, m.Platform})
		}
		slices.SortFunc(x.Manifests, func(a, b identityManifest) int { return cmp.Compare(a.Digest, b.Digest) })
		writeLine(h, x)
	}
	return digest.NewDigest(digest.SHA256, h)
}

// writeLine writes a value of the descriptor, which always encodes, and a line end to a hash, which always takes it.
func writeLine(h io.Writer, v any) {
	b, err := canonical(v)
	if err != nil {
		panic(err)
	}
	_, _ = h.Write(append(b, '\n'))
}
