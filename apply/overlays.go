package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
)

// overlaid is what a slot tells of the overlays that its objects were made with: by the release manifest alone, which was signed,
// they cannot be known.
type overlaid struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Overlays   []string      `json:"overlays"` // names, in the descriptor's order
	Objects    digest.Digest `json:"objects"`
}

const overlaidKind = "Overlaid"

// overlayNames are the names of the overlays that this site takes of a release by the labels that it has now.
func (s *Site) overlayNames(d *bundle.Descriptor) []string {
	var names []string
	for _, o := range d.Taken(s.cfg.Metadata.Labels) {
		names = append(names, o.Name)
	}
	return names
}

// releaseHere is a release as this site would take it now.
func (s *Site) releaseHere(d *bundle.Descriptor, dgst digest.Digest) Release {
	r := releaseOf(d, dgst)
	r.Overlays = s.overlayNames(d)
	return r
}

// sameHere tells whether both are the same release with the same overlays: whether they give the site the same objects.
func (r Release) sameHere(o Release) bool { return r.same(o) && slices.Equal(r.Overlays, o.Overlays) }

// tried is what a site remembers a release by that failed its trial: its identity, and what overlays it had.
func (r Release) tried() digest.Digest {
	id := r.Identity
	if id == "" {
		id = r.Digest
	}
	if len(r.Overlays) > 0 {
		id = digest.FromString(id.String() + "\n" + strings.Join(r.Overlays, "\n"))
	}
	return id
}

// withOverlays names the overlays that objects are made with, for people.
func withOverlays(names []string) string {
	if len(names) == 0 {
		return "no overlay"
	}
	noun := "overlay "
	if len(names) > 1 {
		noun = "overlays "
	}
	return noun + strings.Join(names, ", ")
}

// picked are a release's overlays of these names, in its order.
func picked(d *bundle.Descriptor, names []string) ([]bundle.Overlay, error) {
	var list []bundle.Overlay
	for _, o := range d.Overlays {
		if slices.Contains(names, o.Name) {
			list = append(list, o)
		}
	}
	if len(list) != len(names) {
		return nil, fmt.Errorf("%s %s has not every one of the overlays %s", d.Name, d.Version, strings.Join(names, ", "))
	}
	return list, nil
}

// siteObjects makes the objects that a site with these overlays gets. Read gives the blobs of the bundle.
func siteObjects(d *bundle.Descriptor, names []string, read func(digest.Digest) ([]byte, error)) (objects, record []byte, err error) {
	if objects, err = read(d.Manifests.Digest); err != nil || len(d.Overlays) == 0 {
		return objects, nil, err
	}
	taken, err := picked(d, names)
	if err != nil {
		return nil, nil, err
	}
	var layers []overlay.Layer
	for _, o := range taken {
		doc, err := read(o.Digest)
		if err != nil {
			return nil, nil, err
		}
		edits, err := overlay.Parse(doc)
		if err != nil {
			return nil, nil, errorf("format", "ask the factory for a bundle that is built again", "overlay %s: %s", o.Name, err)
		}
		layers = append(layers, overlay.Layer{Overlay: o, Changes: edits})
	}
	if len(layers) > 0 {
		c, err := overlay.Combine(layers)
		if err == nil {
			objects, _, err = c.YAML(objects)
		}
		if err != nil {
			return nil, nil, errorf("format", "ask the factory for a bundle that is built again", "%s %s: %s", d.Name, d.Version, err)
		}
	}
	record, err = json.Marshal(overlaid{bundle.APIVersion, overlaidKind, append([]string{}, names...), digest.FromBytes(objects)})
	return objects, record, err
}

// heldOverlays reads the overlays that the objects in a slot were made with, and holds the objects to what it says.
func heldOverlays(d *bundle.Descriptor, s *slot.Release) ([]string, error) {
	want := d.Manifests.Digest
	var o overlaid
	switch {
	case len(d.Overlays) == 0 && len(s.Overlays) > 0:
		return nil, errors.New("it tells of overlays, and the release has none")
	case len(d.Overlays) > 0:
		if err := json.Unmarshal(s.Overlays, &o); err != nil {
			return nil, fmt.Errorf("overlays.json: %w", err)
		}
		again, err := json.Marshal(o)
		if err != nil || !bytes.Equal(again, s.Overlays) || o.APIVersion != bundle.APIVersion || o.Kind != overlaidKind {
			return nil, errors.New("overlays.json is not in the form in which it was written")
		}
		if _, err := picked(d, o.Overlays); err != nil {
			return nil, err
		}
		if len(o.Overlays) > 0 {
			want = o.Objects
		}
	}
	if got := digest.FromBytes(s.Objects); got != want {
		return nil, fmt.Errorf("its objects are %s, not %s", got, want)
	}
	if len(o.Overlays) == 0 {
		return nil, nil
	}
	return o.Overlays, nil
}

// relabelled tells what has changed if this site would take other overlays of a release that is here than those that it has; empty
// if it would not.
func (s *Site) relabelled(rel Release, d *bundle.Descriptor) string {
	now := s.overlayNames(d)
	if slices.Equal(now, rel.Overlays) {
		return ""
	}
	return fmt.Sprintf("%s is here with %s, and by its labels this site takes %s", rel, withOverlays(rel.Overlays), withOverlays(now))
}

// soonDue is how long before an overlay expires Doctor tells of it.
const soonDue = 7 * 24 * time.Hour

// overlaysFit looks at the overlays of the current release: whether they are those that the site's labels ask for, and whether
// their time is over.
func (s *Site) overlaysFit() []Finding {
	j, err := s.readJournal()
	if err != nil || j.Current == nil {
		return nil // others tell
	}
	d, err := s.heldIn(s.Slots(), *j.Current, j.Current.Slot)
	if err != nil || len(d.Overlays) == 0 {
		return nil
	}
	if text := s.relabelled(*j.Current, d); text != "" {
		return []Finding{{Name: "overlays", Message: text, Mend: "sallyport apply BUNDLE, with " + bundleOf(*j.Current) + ", takes them; or correct metadata.labels in site.yaml"}}
	}
	f := Finding{Name: "overlays", OK: true, Message: fmt.Sprintf("%s is here with %s", j.Current, withOverlays(j.Current.Overlays))}
	for _, o := range d.Overlays {
		if o.Expires == nil || !slices.Contains(j.Current.Overlays, o.Name) || s.deps.Now().Add(soonDue).Before(*o.Expires) {
			continue
		}
		verb := "expires"
		if !s.deps.Now().Before(*o.Expires) {
			verb = "expired"
		}
		f.Message += fmt.Sprintf("; overlay %s %s %s", o.Name, verb, o.Expires.UTC().Format("2006-01-02"))
		if f.Mend = "ask the factory for a release without it, or with a new date for it"; o.Owner != "" {
			f.Mend = "ask " + o.Owner + " for a release without it, or with a new date for it"
		}
	}
	return []Finding{f}
}
