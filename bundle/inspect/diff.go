package inspect

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Difference is the object of `sallyport diff --json`: what changes from one bundle to another. No list is null.
type Difference struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"` // always "Difference"
	Old        Release          `json:"old"`
	New        Release          `json:"new"`
	Same       bool             `json:"same"` // two bundles of one release: they deliver the same
	Images     ImagesDiff       `json:"images"`
	OS         *OSDiff          `json:"os,omitempty"` // nil: neither has an operating system
	Packages   PackagesDiff     `json:"packages"`
	Manifests  ObjectsDiff      `json:"manifests"`
	Overlays   OverlaysDiff     `json:"overlays"`
	Checks     ChecksDiff       `json:"checks"`
	Bytes      map[string]Bytes `json:"bytes"` // "old" and "new"
}

// ImagesDiff compares images by repository, since a new version of an image has a new name.
type ImagesDiff struct {
	Added     []ImageRef    `json:"added"`
	Removed   []ImageRef    `json:"removed"`
	Changed   []ImageChange `json:"changed"`
	Unchanged []ImageRef    `json:"unchanged"`
}

// ImageRef is an image of one of the bundles.
type ImageRef struct {
	Name   string        `json:"name"`
	Digest digest.Digest `json:"digest"`
}

// ImageChange is an image of which the new bundle has another version.
type ImageChange struct {
	Repository string   `json:"repository"` // registry.example.com/pick-engine
	Old        ImageRef `json:"old"`
	New        ImageRef `json:"new"`
	// Layers is how many different layers the new one has, NewLayers how many of them the old one has not.
	Layers    int `json:"layers"`
	NewLayers int `json:"newLayers"`
}

// ChecksDiff compares checks by name.
type ChecksDiff struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Changed []string `json:"changed"`
}

// Compare tells what changes from one bundle to another.
func Compare(from, to *Contents) (*Difference, error) {
	pairs := pair(from.descriptor, to.descriptor)
	objects, err := compareObjects(from.objects, to.objects)
	if err != nil {
		return nil, fmt.Errorf("compare the Kubernetes objects: %w", err)
	}
	packages, err := comparePackages(from, to, pairs)
	if err != nil {
		return nil, fmt.Errorf("compare the packages: %w", err)
	}
	return &Difference{
		APIVersion: bundle.APIVersion, Kind: "Difference",
		Old: from.Inspection.Release, New: to.Inspection.Release,
		Same:      from.Inspection.Release.Identity == to.Inspection.Release.Identity,
		Images:    compareImages(pairs),
		OS:        compareOS(from.descriptor.OS, to.descriptor.OS),
		Packages:  packages,
		Manifests: objects,
		Overlays:  compareOverlays(from, to),
		Checks:    compareChecks(from.descriptor.Checks, to.descriptor.Checks),
		Bytes:     map[string]Bytes{"old": from.Inspection.Bytes, "new": to.Inspection.Bytes},
	}, nil
}

func compareChecks(from, to []bundle.Check) ChecksDiff {
	d := ChecksDiff{Added: []string{}, Removed: []string{}, Changed: []string{}}
	old := map[string]string{}
	for _, c := range from {
		old[c.Name] = fingerprint(c)
	}
	for _, c := range to {
		switch f, ok := old[c.Name]; {
		case !ok:
			d.Added = append(d.Added, c.Name)
		case f != fingerprint(c):
			d.Changed = append(d.Changed, c.Name)
		}
		delete(old, c.Name)
	}
	for _, c := range from {
		if _, left := old[c.Name]; left {
			d.Removed = append(d.Removed, c.Name)
		}
	}
	return d
}

// fingerprint is the check's JSON, which two checks share only if they are the same.
func fingerprint(c bundle.Check) string {
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
