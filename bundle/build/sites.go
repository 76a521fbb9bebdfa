package build

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/manifest"
)

// siteEntry is an entry of spec.sites: an overlay.
type siteEntry struct {
	Name      string            `yaml:"name"`
	Match     map[string]string `yaml:"match"`
	Kustomize string            `yaml:"kustomize"`
	Owner     string            `yaml:"owner"`
	Expires   *time.Time        `yaml:"expires"`
}

// sites reads the overlays and the labels by which sites are told apart.
func (c *checker) sites() error {
	if err := c.labels(); err != nil {
		return err
	}
	s := c.doc.Spec
	if len(s.Sites) > bundle.MaxOverlays {
		return c.fail("spec.sites", "", "there are %d overlays, more than %d", len(s.Sites), bundle.MaxOverlays)
	}
	seen := map[string]bool{}
	for i, e := range s.Sites {
		at := fmt.Sprintf("spec.sites[%d]", i)
		if e.Kustomize == "" {
			return c.fail(at+".kustomize", "name a folder with a kustomization", "is missing")
		}
		if err := c.file(at+".kustomize", e.Kustomize); err != nil {
			return err
		}
		name := overlayName(e)
		if seen[name] {
			return c.fail(at, "give each a name of its own: name: NAME", "there are two overlays %s", name)
		}
		seen[name] = true
		o := bundle.Overlay{Name: name, Match: e.Match, Owner: e.Owner, Expires: e.Expires}
		if err := c.overlay(at, o); err != nil {
			return err
		}
		c.spec.Overlays = append(c.spec.Overlays, manifest.OverlaySource{Overlay: o, Path: c.spec.path(e.Kustomize), Place: c.place(at + ".kustomize")})
	}
	return c.alike()
}

// overlayName is what an overlay is called: by its name, or else by its folder.
func overlayName(e siteEntry) string {
	if e.Name != "" {
		return e.Name
	}
	name := filepath.ToSlash(filepath.Clean(e.Kustomize))
	for strings.HasPrefix(name, "../") {
		name = name[len("../"):]
	}
	return strings.TrimPrefix(name, "/")
}

// overlay checks what an overlay says of itself.
func (c *checker) overlay(at string, o bundle.Overlay) error {
	if len(o.Match) == 0 {
		return c.fail(at+".match", "name the labels of the sites that it is for; what is for all sites belongs to the manifests", "names no label")
	}
	if err := o.Validate(); err != nil {
		return c.fail(at, "", "is not valid: %v", err)
	}
	for _, k := range slices.Sorted(maps.Keys(o.Match)) {
		if err := c.known(at+".match", "overlay "+o.Name, k, o.Match[k]); err != nil {
			return err
		}
	}
	return nil
}

// labels reads which labels the sites have.
func (c *checker) labels() error {
	for _, k := range slices.Sorted(maps.Keys(c.doc.Spec.Labels)) {
		values := slices.Compact(slices.Sorted(slices.Values(c.doc.Spec.Labels[k])))
		if len(values) != len(c.doc.Spec.Labels[k]) {
			return c.fail("spec.labels."+k, "keep one of the two", "names a value twice")
		}
		if c.spec.Labels == nil {
			c.spec.Labels = map[string][]string{}
		}
		if values == nil {
			values = []string{}
		}
		c.spec.Labels[k] = values
	}
	if r := c.doc.Spec.Requires; r != nil {
		for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
			if err := c.known("spec.requires.labels", "the release", k, r.Labels[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// known refuses a label that spec.labels does not have, if there is one.
func (c *checker) known(at, who, label, value string) error {
	if c.spec.Labels == nil {
		return nil
	}
	values, ok := c.spec.Labels[label]
	switch {
	case !ok:
		return c.fail(at, "write it as spec.labels has it, or add it there",
			"%s: no site has a label %s: spec.labels has %s", who, label, strings.Join(slices.Sorted(maps.Keys(c.spec.Labels)), ", "))
	case len(values) > 0 && !slices.Contains(values, value):
		return c.fail(at, "write it as spec.labels has it, or add it there",
			"%s: no site has %s: %s: spec.labels has %s", who, label, value, strings.Join(values, ", "))
	}
	return nil
}

// alike refuses labels that differ by a slip of the hand, where spec.labels does not say that both are meant: an overlay for a
// label that no site has would be missing everywhere, without a word.
func (c *checker) alike() error {
	if c.spec.Labels != nil {
		return nil
	}
	users := map[string]string{}
	if r := c.spec.Requires; r != nil {
		for k := range r.Labels {
			users[k] = "spec.requires"
		}
	}
	for i, o := range c.spec.Overlays {
		for _, k := range slices.Sorted(maps.Keys(o.Match)) {
			for _, other := range slices.Sorted(maps.Keys(users)) {
				if slip(k, other) {
					return c.fail(fmt.Sprintf("spec.sites[%d].match", i), "write both the same, or name all labels under spec.labels: {LABEL: [VALUE, …]}",
						"overlay %s has the label %s, and %s has %s", o.Name, k, users[other], other)
				}
			}
			if users[k] == "" {
				users[k] = "overlay " + o.Name
			}
		}
	}
	return nil
}

// slip tells whether two words differ by one letter more, less or other, or by two that are swapped.
func slip(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) == 2 && len(b) == 2 {
		return a[0] == b[1] && a[1] == b[0]
	}
	return max(len(a), len(b)) == 1
}
