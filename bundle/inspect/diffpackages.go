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

// Limits of a comparison: images may share their packages, so that a few bytes can name very many.
const (
	maxCompared = 2_000_000 // packages of all images
	maxChanges  = 50_000    // of all images
)

func comparePackages(from, to *Contents, pairs []imagePair) (PackagesDiff, error) {
	d := PackagesDiff{Added: []PackageChange{}, Removed: []PackageChange{}, Changed: []PackageChange{}, Unknown: []string{}}
	changes := map[packageKey][]string{}
	compared, changed := 0, 0
	for _, p := range slices.Concat(changedPairs(pairs), changedParts(from, to)) {
		before, ok := from.packagesOf(p.from, to)
		after, ok2 := to.packagesOf(p.to, from)
		if !ok || !ok2 {
			if !strings.HasPrefix(p.to, PartPrefix) || ok != ok2 { // a kernel has no packages
				d.Unknown = append(d.Unknown, p.to)
			}
			continue
		}
		list := packageChanges(before, after)
		compared += len(before) + len(after)
		if changed += len(list); compared > maxCompared || changed > maxChanges {
			return d, fmt.Errorf("more than %d packages changed, or more than %d are to be compared", maxChanges, maxCompared)
		}
		for _, k := range list {
			changes[k] = append(changes[k], p.to)
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

type packageKey struct{ name, kind, from, to string }

// packageChanges lists the packages whose versions differ. Both lists are sorted.
func packageChanges(before, after []Package) []packageKey {
	var out []packageKey
	for len(before) > 0 || len(after) > 0 {
		first := after
		if len(after) == 0 || len(before) > 0 && compareNames(before[0], after[0]) < 0 {
			first = before
		}
		id := Package{Name: first[0].Name, Type: first[0].Type}
		var from, to string
		from, before = versions(id, before)
		to, after = versions(id, after)
		if from != to {
			out = append(out, packageKey{id.Name, id.Type, from, to})
		}
	}
	return out
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

func (d *PackagesDiff) fill(changes map[packageKey][]string) {
	for k, images := range changes {
		slices.Sort(images)
		c := PackageChange{Name: k.name, Type: k.kind, Old: k.from, New: k.to, Images: images}
		switch {
		case k.from == "":
			d.Added = append(d.Added, c)
		case k.to == "":
			d.Removed = append(d.Removed, c)
		default:
			d.Changed = append(d.Changed, c)
		}
	}
	for _, l := range [][]PackageChange{d.Added, d.Removed, d.Changed} {
		slices.SortFunc(l, func(a, b PackageChange) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Type, b.Type), strings.Compare(a.Old, b.Old),
				strings.Compare(a.New, b.New))
		})
	}
}
