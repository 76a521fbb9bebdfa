package slot

import (
	"slices"

	"github.com/opencontainers/go-digest"
)

// Release is the content of a slot. Manifest is required; the other parts may be empty. The package stores the bytes
// as they are and asks nothing of their content.
type Release struct {
	Manifest   []byte // the release manifest, JSON
	Descriptor []byte // the release descriptor, JSON
	Objects    []byte // the rendered Kubernetes objects, multi-document YAML
	Images     []byte // the images that the mirror holds for it, JSON
	Inventory  []byte // the objects that it has put on the target, JSON
	Report     []byte // what was verified and who signed, JSON
	Overlays   []byte // the overlays that Objects were made with, JSON; only of releases that have some
}

// Digest is the digest of the release manifest, which tells one bundle of the release from others.
func (r *Release) Digest() digest.Digest { return digest.FromBytes(r.Manifest) }

// part is one file of a slot.
type part struct {
	name string
	max  int64 // bytes
	data func(r *Release) *[]byte
	// optional: there is no such file where it would be empty.
	optional bool
}

const (
	maxDocument = 16 << 20
	maxObjects  = 64 << 20
	maxIndex    = 64 << 10
)

// parts are the files that a release fills.
func (r *Release) parts() []part {
	return slices.DeleteFunc(parts(), func(p part) bool { return p.optional && len(*p.data(r)) == 0 })
}

// parts lists the files that a slot may have, in the order in which they stand in the index.
func parts() []part {
	return []part{
		{"manifest.json", maxDocument, func(r *Release) *[]byte { return &r.Manifest }, false},
		{"descriptor.json", maxDocument, func(r *Release) *[]byte { return &r.Descriptor }, false},
		{"objects.yaml", maxObjects, func(r *Release) *[]byte { return &r.Objects }, false},
		{"images.json", maxDocument, func(r *Release) *[]byte { return &r.Images }, false},
		{"inventory.json", maxObjects, func(r *Release) *[]byte { return &r.Inventory }, false},
		{"report.json", maxDocument, func(r *Release) *[]byte { return &r.Report }, false},
		{"overlays.json", maxDocument, func(r *Release) *[]byte { return &r.Overlays }, true},
	}
}
