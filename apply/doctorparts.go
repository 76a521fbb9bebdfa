package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/part"
	"github.com/sallyport-dev/sallyport/bundle"
)

// partsReady looks at the places of both boot slots: could the slot that does not run be written, and does the one that runs still
// hold what patches will address? The parts that run are read whole.
func (s *Site) partsReady(ctx context.Context) []Finding {
	if s.deps.Loader == nil {
		return nil
	}
	l, err := s.deps.Loader()
	if err != nil {
		return nil // said of the boot loader
	}
	home, err := l.Running(ctx)
	if err != nil || home == slot.None {
		return nil
	}
	findings := []Finding{s.placesFit(home)}
	j, err := s.readJournal()
	if err != nil {
		return findings
	}
	r := &run{Site: s, slots: s.Slots(), journal: j}
	if parts := r.runningOS(home); len(parts) > 0 {
		findings = append(findings, r.basesStand(ctx, home, parts))
	}
	return findings
}

// placesFit looks whether anything but the size speaks against writing the slot that does not run.
func (s *Site) placesFit(home slot.Name) Finding {
	slots := &s.cfg.Spec.Slots
	sizes := map[string]int64{}
	for name := range slots.places(home.Other()) {
		sizes[name] = 1
	}
	_, err := part.Fit(s.deps.Host, slots.places(home.Other()), slots.places(home), sizes)
	return found("places", err, fmt.Sprintf("the parts of boot slot %s can be written", home.Other()), "correct spec.slots in site.yaml")
}

// basesStand tells whether what the current release has brought is there for the next patches.
func (r *run) basesStand(ctx context.Context, home slot.Name, parts []bundle.OSPart) Finding {
	places := r.cfg.Spec.Slots.places(home)
	var changed, written []string
	for _, p := range parts {
		is, err := r.placeIs(ctx, places[p.Name], p.Digest, p.Size)
		if err != nil {
			return found("parts", fmt.Errorf("read part %s of boot slot %s: %w", p.Name, home, err), "", "run it as root, and check the device")
		}
		if point, err := part.Writable(r.deps.Host, places[p.Name]); err == nil && point != "" {
			written = append(written, point)
		}
		if !is && !r.copyStands(ctx, p.Digest, p.Size) {
			changed = append(changed, p.Name)
		}
	}
	switch {
	case len(changed) > 0:
		return found("parts", changedInPlace(changed, home, *r.journal.Current), "", "")
	case len(written) > 0 && !r.cfg.Spec.Slots.KeepImages:
		return Finding{Name: "parts", OK: true, Message: fmt.Sprintf("boot slot %s holds what %s has brought, and is mounted for writing at %s",
			home, r.journal.Current, strings.Join(slices.Compact(written), ", ")), Mend: waysOut}
	}
	return Finding{Name: "parts", OK: true, Message: fmt.Sprintf("what %s has brought to boot slot %s is there for patches", r.journal.Current, home)}
}

// copyStands tells whether a copy is what was brought.
func (s *Site) copyStands(ctx context.Context, d digest.Digest, size int64) bool {
	if !s.hasCopy(d, size) {
		return false
	}
	got, err := part.Digest(ctx, host.Host{}, s.copyPath(d), size)
	return err == nil && got == d
}
