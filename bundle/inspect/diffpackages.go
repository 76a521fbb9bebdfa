package inspect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// PackagesDiff compares the packages of the images, and of the parts of an operating system, that both bundles have.
type PackagesDiff struct {
	Added   []PackageChange `json:"added"`
	Removed []PackageChange `json:"removed"`
	Changed []PackageChange `json:"changed"`
	// Unknown are the images (by the new name) of which one of the bundles does not carry the SBOM.
	Unknown []string `json:"unknown"`
}

// PackageChange is a package that came, went or changed its version in some images. Several versions of a package in one
// image are joined by commas.
type PackageChange struct {
	Name   string   `json:"name"`
	Type   string   `json:"type,omitempty"`
	Old    string   `json:"old,omitempty"`
	New    string   `json:"new,omitempty"`
	Images []string `json:"images"` // names in the new bundle
}

// Limits of a comparison. All that two bundles may list can have changed, as all versions do with a new distribution; but images may
// share their packages, so that a few bytes can name very many.
const (
	maxCompared = 2_000_000       // packages of all images
	maxChanges  = 2 * maxPackages // of all images
)

func comparePackages(from, to *Contents, pairs []imagePair) (PackagesDiff, error) {
	d := PackagesDiff{Unknown: []string{}}
	var changes []PackageChange
	compared := 0
	for _, p := range slices.Concat(changedPairs(pairs), changedParts(from, to)) {
		before, ok := from.packagesOf(p.from, to)
		after, ok2 := to.packagesOf(p.to, from)
		if !ok || !ok2 {
			if !strings.HasPrefix(p.to, PartPrefix) || ok != ok2 { // a kernel has no packages
				d.Unknown = append(d.Unknown, p.to)
			}
			continue
		}
		compared += len(before) + len(after)
		changes = packageChanges(changes, []string{p.to}, before, after)
		if compared > maxCompared || len(changes) > maxChanges {
			return d, fmt.Errorf("more than %d packages changed, or more than %d are to be compared", maxChanges, maxCompared)
		}
	}
	d.fill(changes)
	return d, nil
}

// namePair is what is compared, by its name before and after.
type namePair struct{ from, to string }

func changedPairs(pairs []imagePair) []namePair {
	var list []namePair
	for _, p := range pairs {
		if p.from != nil && p.to != nil && p.from.Digest != p.to.Digest {
			list = append(list, namePair{p.from.Name, p.to.Name})
		}
	}
	return list
}

// changedParts gives the parts that both operating systems have.
func changedParts(from, to *Contents) []namePair {
	var list []namePair
	if d := compareOS(from.descriptor.OS, to.descriptor.OS); d != nil {
		for _, p := range d.Changed {
			list = append(list, namePair{PartPrefix + p.Name, PartPrefix + p.Name})
		}
	}
	return list
}

// packageChanges adds the packages of an image whose versions differ. Both lists are sorted. The changes of one image have its name in
// one place: there may be very many.
func packageChanges(changes []PackageChange, image []string, before, after []Package) []PackageChange {
	for len(before) > 0 || len(after) > 0 {
		first := after
		if len(after) == 0 || len(before) > 0 && compareNames(before[0], after[0]) < 0 {
			first = before
		}
		c := PackageChange{Name: first[0].Name, Type: first[0].Type, Images: slices.Clip(image)}
		id := Package{Name: c.Name, Type: c.Type}
		c.Old, before = versions(id, before)
		c.New, after = versions(id, after)
		if c.Old != c.New {
			changes = append(changes, c)
		}
	}
	return changes
}

func compareNames(a, b Package) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
}

// noVersion stands for a package whose SBOM tells no version, so that "" can mean that it is not there.
const noVersion = "unknown"

// versions joins the versions of a package, which stands first in a sorted list if it is there, and gives the rest.
func versions(id Package, list []Package) (joined string, rest []Package) {
	n := 0
	var all []string
	for n < len(list) && compareNames(list[n], id) == 0 {
		all = append(all, cmp.Or(list[n].Version, noVersion))
		n++
	}
	return strings.Join(all, ", "), list[n:]
}

// fill makes one change of those that are alike in several images, and lists them by what they are.
func (d *PackagesDiff) fill(changes []PackageChange) {
	slices.SortFunc(changes, func(a, b PackageChange) int {
		return cmp.Or(compareChanges(&a, &b), strings.Compare(a.Images[0], b.Images[0]))
	})
	n := 0
	for _, c := range changes {
		if n > 0 && compareChanges(&changes[n-1], &c) == 0 {
			changes[n-1].Images = append(changes[n-1].Images, c.Images...)
			continue
		}
		changes[n] = c
		n++
	}
	kind := func(k int) int { // where those of a kind begin
		i, _ := slices.BinarySearchFunc(changes[:n], k, func(c PackageChange, k int) int { return cmp.Compare(c.kind(), k) })
		return i
	}
	added, removed := kind(1), kind(2)
	d.Added, d.Removed, d.Changed = changes[:added:added], changes[added:removed:removed], changes[removed:n:n]
	for _, l := range []*[]PackageChange{&d.Added, &d.Removed, &d.Changed} {
		if *l == nil {
			*l = []PackageChange{} // so that it is a list in JSON, too
		}
	}
}

// kind is 0 of what was added, 1 of what was removed and 2 of what changed.
func (c *PackageChange) kind() int {
	switch {
	case c.Old == "":
		return 0
	case c.New == "":
		return 1
	}
	return 2
}

// compareChanges puts changes into their order: by kind, then by what they say. Those that are alike but for the images are equal.
func compareChanges(a, b *PackageChange) int {
	return cmp.Or(cmp.Compare(a.kind(), b.kind()), strings.Compare(a.Name, b.Name), strings.Compare(a.Type, b.Type),
		strings.Compare(a.Old, b.Old), strings.Compare(a.New, b.New))
}
