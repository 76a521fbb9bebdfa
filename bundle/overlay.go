package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// MediaTypeOverlay is what an overlay does to the rendered objects: a document of package bundle/overlay.
const MediaTypeOverlay = "application/vnd.sallyport.overlay.v1+json"

// Overlay changes the rendered objects for the sites whose labels it matches.
type Overlay struct {
	// Name is unique in a release.
	Name string `json:"name"`
	// Match is the labels that a site must have, all of them and at least one.
	Match map[string]string `json:"match"`
	// Digest and Size are those of the edits, and Edits is how many there are.
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
	Edits  int           `json:"edits"`
	// Owner is who answers for it, and Expires when it should be gone. Neither changes what a site gets.
	Owner   string     `json:"owner,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

// Holds tells whether a site with these labels takes the overlay.
func (o *Overlay) Holds(labels map[string]string) bool {
	for k, want := range o.Match {
		if have, ok := labels[k]; !ok || have != want {
			return false
		}
	}
	return true
}

// Refines tells whether o is the more specific of the two: it matches by all the labels of the other, and by more.
func (o *Overlay) Refines(other *Overlay) bool {
	return len(o.Match) > len(other.Match) && other.Holds(o.Match)
}

// Meets tells whether there can be a site that takes both.
func (o *Overlay) Meets(other *Overlay) bool {
	for k, v := range o.Match {
		if w, ok := other.Match[k]; ok && v != w {
			return false
		}
	}
	return true
}

// Validate checks what an overlay says of itself, apart from its edits.
func (o *Overlay) Validate() error {
	if o.Name == "" || len(o.Name) > 253 {
		return errors.New("its name is not 1 to 253 bytes long")
	}
	if err := validLabel(o.Name, o.Owner); err != nil {
		return errors.New("its name or its owner is not printable text of at most 253 bytes")
	}
	if len(o.Match) == 0 || len(o.Match) > MaxMatch {
		return fmt.Errorf("it matches by %d labels, not by 1 to %d", len(o.Match), MaxMatch)
	}
	for k, s := range o.Match {
		if err := validLabel(k, s); err != nil {
			return fmt.Errorf("match: %w", err)
		}
	}
	if o.Edits < 0 || o.Expires != nil && !wholeSeconds(*o.Expires) {
		return errors.New("its number of edits or its time of expiry is out of range")
	}
	return nil
}

// CompareOverlays is the one order of overlays, in a descriptor and at a site: the less specific ones first, then by name.
func CompareOverlays(a, b *Overlay) int {
	return cmp.Or(cmp.Compare(len(a.Match), len(b.Match)), strings.Compare(a.Name, b.Name))
}

// Taken gives the overlays that a site with these labels takes, in their order.
func (d *Descriptor) Taken(labels map[string]string) []Overlay {
	taken := []Overlay{}
	for i := range d.Overlays {
		if d.Overlays[i].Holds(labels) {
			taken = append(taken, d.Overlays[i])
		}
	}
	return taken
}

// CheckLabels refuses a value that the release does not know for a label that it does know: the site's overlays would be
// missing without a word.
func (d *Descriptor) CheckLabels(labels map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if known := d.Labels[k]; len(known) > 0 && !slices.Contains(known, labels[k]) {
			return fmt.Errorf("label %s: %s is none of %s", k, labels[k], strings.Join(known, ", "))
		}
	}
	return nil
}

func (v *validator) overlays() error {
	if len(v.d.Overlays) > MaxOverlays {
		return fmt.Errorf("%d overlays, more than %d", len(v.d.Overlays), MaxOverlays)
	}
	names, total := map[string]bool{}, int64(0)
	for i := range v.d.Overlays {
		o := &v.d.Overlays[i]
		err := o.Validate()
		if err == nil {
			err = v.size(o.Digest, o.Size, MaxOverlaySize)
		}
		if err != nil {
			return fmt.Errorf("overlay %.80q: %w", o.Name, err)
		}
		switch total += o.Size; {
		case names[o.Name]:
			return fmt.Errorf("overlay %q is listed twice", o.Name)
		case i > 0 && CompareOverlays(&v.d.Overlays[i-1], o) >= 0:
			return fmt.Errorf("overlay %q is out of order", o.Name)
		case total > MaxObjectsSize:
			return fmt.Errorf("the overlays have more than %d bytes", MaxObjectsSize)
		}
		names[o.Name] = true
	}
	return v.labels()
}

func (v *validator) labels() error {
	for k, values := range v.d.Labels {
		if !slices.IsSorted(values) || len(slices.Compact(slices.Clone(values))) != len(values) || values == nil {
			return fmt.Errorf("labels: the values of %q are not a sorted list of different ones", k)
		}
		for _, s := range append(values[:len(values):len(values)], "") {
			if err := validLabel(k, s); err != nil {
				return fmt.Errorf("labels: %w", err)
			}
		}
	}
	return nil
}
