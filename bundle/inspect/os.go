package inspect

import (
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// OS is the operating system that a release brings.
type OS struct {
	Version string   `json:"version"` // its own; may be empty
	Parts   []OSPart `json:"parts"`   // in the order of their names
}

// OSPart is one of its parts. What it costs counts for the first part of several that are the same.
type OSPart struct {
	Name string `json:"name"`
	Blob
}

// system tells of the operating system; nil: the release has none.
func (l *ledger) system(o *bundle.OS) *OS {
	if o == nil {
		return nil
	}
	x := &OS{Version: o.Version, Parts: []OSPart{}}
	for _, p := range o.Parts {
		x.Parts = append(x.Parts, OSPart{p.Name, l.charge(l.blobs[p.Digest])})
	}
	return x
}

// OSDiff compares operating systems part by part, by their names. A side that has none brings no version and no parts.
type OSDiff struct {
	Old       string       `json:"old"` // its version
	New       string       `json:"new"`
	Added     []PartRef    `json:"added"`
	Removed   []PartRef    `json:"removed"`
	Changed   []PartChange `json:"changed"`
	Unchanged []PartRef    `json:"unchanged"`
}

// PartRef is a part of one of the bundles.
type PartRef struct {
	Name   string        `json:"name"`
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
}

// PartChange is a part that the new bundle has with other bytes.
type PartChange struct {
	Name string  `json:"name"`
	Old  PartRef `json:"old"`
	New  PartRef `json:"new"`
}

// compareOS is nil where neither release has an operating system.
func compareOS(from, to *bundle.OS) *OSDiff {
	if from == nil && to == nil {
		return nil
	}
	d := &OSDiff{Added: []PartRef{}, Removed: []PartRef{}, Changed: []PartChange{}, Unchanged: []PartRef{}}
	old := map[string]PartRef{}
	if from != nil {
		d.Old = from.Version
		for _, p := range from.Parts {
			old[p.Name] = PartRef(p)
		}
	}
	if to != nil {
		d.New = to.Version
		for _, p := range to.Parts {
			d.part(old, PartRef(p))
		}
	}
	if from != nil {
		for _, p := range from.Parts {
			if _, left := old[p.Name]; left {
				d.Removed = append(d.Removed, PartRef(p))
			}
		}
	}
	return d
}

// part files a part of the new release, and takes its like from the old ones.
func (d *OSDiff) part(old map[string]PartRef, p PartRef) {
	switch before, ok := old[p.Name]; {
	case !ok:
		d.Added = append(d.Added, p)
	case before.Digest == p.Digest:
		d.Unchanged = append(d.Unchanged, p)
	default:
		d.Changed = append(d.Changed, PartChange{p.Name, before, p})
	}
	delete(old, p.Name)
}
