package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// load reads the bundle to its very last byte and leaves the mirror with everything in it.
func (r *run) load(ctx context.Context) (Phase, func(*journal), error) {
	if r.bundle == nil {
		return r.giveUp()
	}
	if err := r.remember(); err != nil {
		return "", nil, err
	}
	dir, err := r.temp()
	if err != nil {
		return "", nil, err
	}
	l := newLoader(r, dir)
	defer l.restorer.close()
	if err := l.all(ctx); err != nil {
		return "", nil, err
	}
	if r.deps.SyncMirror != nil {
		if err := r.deps.SyncMirror(); err != nil {
			return "", nil, err
		}
	}
	r.say("loaded", "every byte was verified; the medium may be removed now")
	return Loaded, nil, nil
}

// giveUp ends a transaction whose bundle is not at hand any more; nothing that runs was touched.
func (r *run) giveUp() (Phase, func(*journal), error) {
	a := r.ended(resultInterrupted, "")
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return "", nil, err
	}
	edit, err := r.given(a)
	return Idle, edit, err
}

// fill puts the release into the slot that does not run. A slot is filled in one step, so one that holds the release
// holds all of it.
func (r *run) fill(_ context.Context) (Phase, func(*journal), error) {
	staged := *r.journal.Staged
	if _, err := r.loadSlot(staged); err != nil {
		if r.bundle == nil {
			return r.giveUp()
		}
		rel, err := r.slotContent(staged.Overlays)
		if err != nil {
			return "", nil, err
		}
		if err := r.keepAside(staged.Slot); err != nil {
			return "", nil, err
		}
		if err := r.slots.Fill(staged.Slot, rel); err != nil {
			return "", nil, err
		}
	}
	slotTaken := func(j *journal) {
		if j.Previous != nil {
			j.Previous, j.Outgoing = nil, j.Previous
		}
	}
	if r.journal.Attempt.Verb != verbStage {
		return Written, slotTaken, nil
	}
	a := r.ended(ResultStaged, "")
	r.outcome = nil // the transaction goes on when the release is switched to
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return "", nil, err
	}
	return Written, func(j *journal) {
		slotTaken(j)
		j.LastAttempted = &a
	}, nil
}

// slotContent is what a slot gets of the release in the bundle with these of its overlays.
func (r *run) slotContent(overlays []string) (*slot.Release, error) {
	d := r.bundle.Descriptor()
	objects, overlaid, err := siteObjects(d, overlays, r.spooled)
	if err != nil {
		return nil, err
	}
	images, err := savedManifests(d.Images, r.spooled)
	if err != nil {
		return nil, err
	}
	report, err := json.Marshal(r.bundle.Report())
	if err != nil {
		return nil, err
	}
	return &slot.Release{Manifest: r.bundle.ManifestBytes(), Descriptor: r.bundle.DescriptorBytes(),
		Objects: objects, Images: images, Report: report, Overlays: overlaid}, nil
}

// spooled reads a small blob that load has kept. It was verified before it was written, and a disk may lie.
func (r *run) spooled(d digest.Digest) ([]byte, error) {
	path := filepath.Join(r.tempPath(), d.Encoded())
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, stateError(err)
	}
	if got := digest.FromBytes(b); got != d {
		return nil, stateError(fmt.Errorf("%s came back with the digest %s", path, got))
	}
	return b, nil
}

// keepers are the blobs of a bundle that are wanted again after it has been read: manifests, rendered objects and overlays.
func keepers(d *bundle.Descriptor) map[digest.Digest]bool {
	m := map[digest.Digest]bool{d.Manifests.Digest: true}
	for _, o := range d.Overlays {
		m[o.Digest] = true
	}
	for _, img := range d.Images {
		m[img.Digest] = true
		for _, x := range img.Indexes {
			m[x.Digest] = true
		}
		for _, im := range img.Manifests {
			m[im.Digest] = true
		}
		for _, a := range img.Attached {
			m[a.Digest] = true
		}
	}
	return m
}
