package inspect

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// Overlay is what a release changes for some sites.
type Overlay struct {
	bundle.Overlay
	// Changes are its edits, by what they do, the object and the field, a hundred at most; only where they were asked for.
	Changes []string `json:"changes,omitempty"`
}

// OverlaysDiff compares overlays by name.
type OverlaysDiff struct {
	Added   []string        `json:"added"`
	Removed []string        `json:"removed"`
	Changed []OverlayChange `json:"changed"`
}

// OverlayChange is an overlay that differs: in the sites that it is for, or in its edits.
type OverlayChange struct {
	Name string            `json:"name"`
	Old  map[string]string `json:"oldMatch"`
	New  map[string]string `json:"newMatch"`
	// Added, Removed and Changed are edits, a hundred of each at most.
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Changed []string `json:"changed"`
}

// edited is an edit, without its value.
type edited struct {
	text string
	sum  [sha256.Size]byte // of all of it
}

// maxEdited is how many edits of all overlays together are kept.
const maxEdited = 1 << 16

func overlays(d *bundle.Descriptor) []Overlay {
	list := make([]Overlay, len(d.Overlays))
	for i, o := range d.Overlays {
		list[i].Overlay = o
	}
	return list
}

// takeOverlay keeps what an overlay edits.
func (c *Contents) takeOverlay(e *bundle.Entry) error {
	b, err := io.ReadAll(e)
	if err != nil {
		return err
	}
	edits, err := overlay.Parse(b)
	if err != nil {
		return err
	}
	list := []edited{}
	for i := range edits {
		if c.edited++; c.edited > maxEdited {
			return fmt.Errorf("the overlays have more than %d edits", maxEdited)
		}
		b, err := overlay.Marshal(edits[i : i+1])
		if err != nil {
			return err
		}
		list = append(list, edited{oneline.Clean(string(edits[i].Op)+" "+edits[i].String(), maxPath), sha256.Sum256(b)})
	}
	c.edits[e.Desc.Digest] = list
	return nil
}

// isOverlay tells whether a blob is the edits of an overlay.
func (c *Contents) isOverlay(d digest.Digest) bool {
	return slices.ContainsFunc(c.descriptor.Overlays, func(o bundle.Overlay) bool { return o.Digest == d })
}

// Overlays are the release's overlays with what they change.
func (c *Contents) Overlays() []Overlay {
	list := overlays(c.descriptor)
	for i := range list {
		for _, e := range c.edits[list[i].Digest] {
			if len(list[i].Changes) < maxFieldChanges {
				list[i].Changes = append(list[i].Changes, e.text)
			}
		}
	}
	return list
}

func compareOverlays(from, to *Contents) OverlaysDiff {
	d := OverlaysDiff{Added: []string{}, Removed: []string{}, Changed: []OverlayChange{}}
	old := map[string]bundle.Overlay{}
	for _, o := range from.descriptor.Overlays {
		old[o.Name] = o
	}
	for _, o := range to.descriptor.Overlays {
		before, ok := old[o.Name]
		delete(old, o.Name)
		switch {
		case !ok:
			d.Added = append(d.Added, o.Name)
		case before.Digest != o.Digest || !maps.Equal(before.Match, o.Match):
			c := OverlayChange{Name: o.Name, Old: before.Match, New: o.Match}
			c.compare(from.edits[before.Digest], to.edits[o.Digest])
			d.Changed = append(d.Changed, c)
		}
	}
	d.Removed = append(d.Removed, slices.Sorted(maps.Keys(old))...)
	return d
}

func (c *OverlayChange) compare(from, to []edited) {
	c.Added, c.Removed, c.Changed = []string{}, []string{}, []string{}
	old := map[string][sha256.Size]byte{}
	for _, e := range from {
		old[e.text] = e.sum
	}
	for _, e := range to {
		sum, ok := old[e.text]
		delete(old, e.text)
		switch {
		case !ok && len(c.Added) < maxFieldChanges:
			c.Added = append(c.Added, e.text)
		case ok && sum != e.sum && len(c.Changed) < maxFieldChanges:
			c.Changed = append(c.Changed, e.text)
		}
	}
	for _, text := range slices.Sorted(maps.Keys(old)) {
		if len(c.Removed) < maxFieldChanges {
			c.Removed = append(c.Removed, text)
		}
	}
}
