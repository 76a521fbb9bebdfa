package inspect

import (
	"cmp"
	"slices"
	"strings"
)

// PackagesDiff compares the packages of the images that both bundles have.
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

func comparePackages(from, to *Contents, pairs []imagePair) PackagesDiff {
	d := PackagesDiff{Added: []PackageChange{}, Removed: []PackageChange{}, Changed: []PackageChange{}, Unknown: []string{}}
	changes := map[packageKey][]string{}
	for _, p := range pairs {
		if p.from == nil || p.to == nil || p.from.Digest == p.to.Digest {
			continue
		}
		before, ok := from.packagesOf(p.from.Name, to)
		after, ok2 := to.packagesOf(p.to.Name, from)
		if !ok || !ok2 {
			d.Unknown = append(d.Unknown, p.to.Name)
			continue
		}
		for _, k := range packageChanges(before, after) {
			changes[k] = append(changes[k], p.to.Name)
		}
	}
	d.fill(changes)
	return d
}

type packageKey struct{ name, kind, from, to string }

// packageChanges lists the packages whose versions differ.
func packageChanges(before, after []Package) []packageKey {
	old, now := versions(before), versions(after)
	var out []packageKey
	for id, v := range now {
		if v != old[id] {
			out = append(out, packageKey{id.Name, id.Type, old[id], v})
		}
	}
	for id, v := range old {
		if _, ok := now[id]; !ok {
			out = append(out, packageKey{id.Name, id.Type, v, ""})
		}
	}
	return out
}

// noVersion stands for a package whose SBOM tells no version, so that "" can mean that it is not there.
const noVersion = "unknown"

// versions joins the versions of each package; p is sorted.
func versions(p []Package) map[Package]string {
	out := map[Package]string{}
	for _, x := range p {
		id, v := Package{Name: x.Name, Type: x.Type}, cmp.Or(x.Version, noVersion)
		if have, ok := out[id]; ok {
			v = have + ", " + v
		}
		out[id] = v
	}
	return out
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
