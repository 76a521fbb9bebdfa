package apply

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/part"
	"github.com/sallyport-dev/sallyport/bundle"
)

// extent is a place of which some bytes were read.
type extent struct {
	path string
	size int64
}

// placeIs reads the first bytes of a place and tells whether they have the digest. What was read once is not read again by the same
// run, as long as it writes nothing.
func (r *run) placeIs(ctx context.Context, path string, want digest.Digest, size int64) (bool, error) {
	if have, ok := r.sums[extent{path, size}]; ok {
		return have == want, nil
	}
	have, err := part.Digest(ctx, r.deps.Host, path, size)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // nothing is there, or less
	}
	if err != nil {
		return false, err
	}
	if r.sums == nil {
		r.sums = map[extent]digest.Digest{}
	}
	r.sums[extent{path, size}] = have
	return have == want, nil
}

// findPart finds bytes that a part's patch addresses: in a copy that was kept, or in the slot that runs. They are read before
// anything is written, for a place may have been written to since.
func (r *run) findPart(ctx context.Context, p *partsPlan, name string, base bundle.BaseBlob) (string, error) {
	if r.copyStands(ctx, base.Digest, base.Size) {
		return r.copyPath(base.Digest), nil
	}
	if r.hasCopy(base.Digest, base.Size) && ctx.Err() == nil {
		r.say("note", "the copy of part %s in %s is damaged, and is not used", name, r.copiesPath())
	}
	places := r.cfg.Spec.Slots.places(p.boot.Other())
	for _, n := range r.likely(p, name, base.Digest) {
		if is, err := r.placeIs(ctx, places[n], base.Digest, base.Size); is || err != nil {
			return places[n], err
		}
	}
	return "", r.partBaseError(p, base.Digest)
}

// likely are the names of the parts of the slot that runs, those first that are the likeliest to have the digest.
func (r *run) likely(p *partsPlan, name string, want digest.Digest) []string {
	brought := r.broughtAs(p.boot.Other(), want)
	rank := func(n string) int {
		switch {
		case slices.Contains(brought, n):
			return 0
		case n == name:
			return 1
		}
		return 2
	}
	names := slices.Sorted(maps.Keys(r.cfg.Spec.Slots.places(p.boot.Other())))
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	return names
}

// broughtAs are the parts as which the current release has brought bytes to a boot slot.
func (r *run) broughtAs(boot slot.Name, want digest.Digest) (names []string) {
	for _, p := range r.runningOS(boot) {
		if p.Digest == want {
			names = append(names, p.Name)
		}
	}
	return names
}

// runningOS are the parts that the current release has brought to the boot slot that runs; nil if that is not known.
func (r *run) runningOS(boot slot.Name) []bundle.OSPart {
	c := r.journal.Current
	if c == nil || c.Boot != boot {
		return nil
	}
	rel, err := r.loadSlot(*c)
	if err != nil || rel.descriptor.OS == nil {
		return nil
	}
	return rel.descriptor.OS.Parts
}

// partBaseError says why what a part's patch addresses is not there: the slot was changed in place, or it never held it.
func (r *run) partBaseError(p *partsPlan, missing digest.Digest) error {
	names := r.broughtAs(p.boot.Other(), missing)
	if len(names) == 0 {
		return r.baseError(p.descriptor, missing)
	}
	return changedInPlace(names, p.boot.Other(), *r.journal.Current)
}

// changedInPlace is a base that was right once.
func changedInPlace(names []string, boot slot.Name, by Release) error {
	return errorf("base", waysOut, "part %s of boot slot %s is not what %s brought any more: it was written to since",
		strings.Join(names, ", "), boot, by)
}

// waysOut are what can be done about a part that was changed in place. Mounting ext4 read-only plays back its journal, which
// writes to it.
const waysOut = "ask for a full bundle; so that it does not come to this again, mount the part with ro,noload (of ext4, ro alone writes " +
	"to it after a power cut), or set spec.slots.keepImages: true in site.yaml, which keeps a copy of each part for later bundles"
