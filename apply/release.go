package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// slotRelease is a release as a slot holds it.
type slotRelease struct {
	descriptor *bundle.Descriptor
	yaml       []byte
	manifests  map[digest.Digest][]byte // of images, as saved by savedManifests
}

func (l *slotRelease) objects() kube.Objects {
	return objectsOf(l.descriptor, l.yaml)
}

// objectsOf are a release's objects, and what it says of changing them.
func objectsOf(d *bundle.Descriptor, yaml []byte) kube.Objects {
	o := kube.Objects{Release: d.Name, YAML: yaml, NoRoll: d.NoRoll}
	for _, r := range d.OneWay {
		o.OneWay = append(o.OneWay, kube.ID{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name})
	}
	return o
}

// sizesOf are the sizes in bytes of the blobs of the release's images.
func sizesOf(d *bundle.Descriptor) map[digest.Digest]int64 {
	m := make(map[digest.Digest]int64, len(d.Blobs))
	for _, b := range d.Blobs {
		m[b.Digest] = b.Size
	}
	return m
}

// loadSlot reads a release from its slot. That the slot holds another one is an error.
func (r *run) loadSlot(want Release) (*slotRelease, error) {
	s, err := r.slots.Load(want.Slot)
	if err != nil {
		return nil, err
	}
	return openRelease(want, s)
}

func openRelease(want Release, s *slot.Release) (*slotRelease, error) {
	if s.Digest() != want.Digest {
		return nil, &slot.DamagedError{Slot: want.Slot, Err: fmt.Errorf("it holds release %s, not %s", s.Digest(), want.Digest)}
	}
	d, err := describedBy(s)
	if err != nil {
		return nil, &slot.DamagedError{Slot: want.Slot, Err: err}
	}
	if have, err := heldOverlays(d, s); err != nil || !slices.Equal(have, want.Overlays) {
		return nil, &slot.DamagedError{Slot: want.Slot, Err: fmt.Errorf("it holds %s with %s, not with %s", want, withOverlays(have), withOverlays(want.Overlays))}
	}
	m, err := parseSavedManifests(s.Images)
	if err != nil {
		return nil, &slot.DamagedError{Slot: want.Slot, Err: err}
	}
	return &slotRelease{descriptor: d, yaml: s.Objects, manifests: m}, nil
}

// describedBy follows the digests from the release manifest, which was signed, to everything that comes of it.
func describedBy(s *slot.Release) (*bundle.Descriptor, error) {
	var m struct {
		Config struct {
			Digest digest.Digest `json:"digest"`
		} `json:"config"`
	}
	if err := json.Unmarshal(s.Manifest, &m); err != nil {
		return nil, fmt.Errorf("the release manifest: %w", err)
	}
	if got := digest.FromBytes(s.Descriptor); got != m.Config.Digest {
		return nil, fmt.Errorf("the release manifest names descriptor %s, not %s", m.Config.Digest, got)
	}
	d, err := bundle.ParseDescriptor(s.Descriptor)
	if err != nil {
		return nil, err
	}
	_, err = heldOverlays(d, s)
	return d, err
}

// maxSaved bounds the manifests that a slot keeps, in bytes.
const maxSaved = 8 << 20

// savedManifests encodes for a slot the manifests by which its images are named: a registry that refuses an index of
// which it lacks a platform does not give it back, so the slot has to.
func savedManifests(images []bundle.Image, raw mirror.Raw) ([]byte, error) {
	saved, total := map[digest.Digest][]byte{}, 0
	for _, img := range images {
		if !bundle.IsIndex(img.MediaType) || saved[img.Digest] != nil {
			continue
		}
		names := []digest.Digest{img.Digest}
		for _, x := range img.Indexes {
			names = append(names, x.Digest)
		}
		for _, d := range names {
			b, err := raw(d)
			if err != nil {
				return nil, err
			}
			if total += len(b); total > maxSaved {
				return json.Marshal(saved) // the mirror is asked for the others
			}
			saved[d] = b
		}
	}
	return json.Marshal(saved)
}

func parseSavedManifests(b []byte) (map[digest.Digest][]byte, error) {
	var m map[digest.Digest][]byte
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("images.json: %w", err)
	}
	for d, raw := range m {
		if d.Validate() != nil || d.Algorithm() != digest.SHA256 || digest.FromBytes(raw) != d {
			return nil, fmt.Errorf("images.json: %.80q is not the digest of what it names", d)
		}
	}
	return m, nil
}

// raw returns the manifests of an image that has been loaded, from the slot or else from the mirror.
func (r *run) raw(ctx context.Context, rel *slotRelease, img bundle.Image) mirror.Raw {
	return func(d digest.Digest) ([]byte, error) {
		if b := rel.manifests[d]; b != nil {
			return b, nil
		}
		name, err := mirror.Repository(img.Name)
		if err != nil {
			return nil, err
		}
		b, _, err := r.mirror.Manifest(ctx, name.Repository, d.String())
		return b, err
	}
}

// imagesServed asks the mirror for every image of the release, by digest.
func (r *run) imagesServed(ctx context.Context, rel *slotRelease) error {
	sizes := sizesOf(rel.descriptor)
	for _, img := range rel.descriptor.Images {
		if err := r.mirror.CheckImage(ctx, img, sizes, r.raw(ctx, rel, img)); err != nil {
			return fmt.Errorf("image %s: %w", img.Name, err)
		}
	}
	return nil
}

// accepted asks the target whether it would take the release.
func (r *run) accepted(ctx context.Context, rel *slotRelease) error {
	changes, err := r.target.DryRun(ctx, r.hooked(rel), r.journal.Live)
	if err != nil {
		return err
	}
	if untried := pick(changes, func(c kube.Change) bool { return c.Untried }); len(untried) > 0 {
		r.say("note", "%d objects cannot be tried before the switch, so the trial decides: %s: %s", len(untried), untried[0].ID, untried[0].Note)
	}
	r.sayTakenOver(changes)
	refused := r.refusal(changes)
	if refused != nil && r.verb == verbRollback {
		r.say("note", "not all of it can be put back: %s", refused)
		return nil
	}
	return refused
}

// refusal is the error of the changes that the target refuses, or that cannot be undone; nil if there are none.
func (r *run) refusal(changes []kube.Change) error {
	return kube.Refusal(fmt.Sprint(r.target), changes)
}

func pick(changes []kube.Change, wanted func(kube.Change) bool) []kube.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c kube.Change) bool { return !wanted(c) })
}

// summary counts changes: "2 created, 3 unchanged".
func summary(changes []kube.Change) string {
	var parts []string
	for _, a := range []kube.Action{kube.Created, kube.Configured, kube.Recreated, kube.Unchanged, kube.Pruned, kube.Leaving, kube.Kept, kube.GivenUp, kube.Runs} {
		n := 0
		for _, c := range changes {
			if c.Action == a {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, a))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
