package apply

import (
	"context"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// Repair brings anew what the mirror lacks of a release that a slot holds, from a bundle of it. drop is called first,
// under the site's lock and with the releases in the slots: it deletes what is damaged, so that it counts as lacking.
// Slots, target and journal stay as they are.
func (s *Site) Repair(ctx context.Context, in Input, drop func(context.Context, []*bundle.Descriptor) error) (res *Result, err error) {
	r, err := s.begin("mirror fsck")
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if err := r.resume(ctx); err != nil {
		return nil, err
	}
	held := r.held()
	b, counter, err := r.verifiedAmong(held, in, r.journal)
	if err != nil {
		return nil, err
	}
	about := releaseOf(b.Descriptor(), b.ReleaseDigest())
	if !among(held, about) {
		if err := r.fitsName(b.Descriptor(), r.journal); err != nil {
			return nil, err
		}
		return nil, errorf("usage", "give the bundle of a release that sallyport status names",
			"%s is in no slot of this site", about)
	}
	releases, err := r.Releases()
	if err != nil {
		return nil, err
	}
	if err := drop(ctx, releases); err != nil {
		return nil, err
	}
	if err := r.reload(ctx, b); err != nil {
		if ctx.Err() != nil {
			return nil, r.interrupted(ctx)
		}
		return nil, err
	}
	r.bytes.Read = counter.n
	return r.result(ResultNothing, r.journal.Current), nil
}

// reload loads the mirror with what it lacks of the release. It may be cut short: what has arrived then is good.
func (r *run) reload(ctx context.Context, b *verify.Bundle) error {
	if err := r.openMirror(ctx); err != nil {
		return err
	}
	p, err := r.newPlan(ctx, b.Descriptor())
	if err != nil {
		return err
	}
	if err := r.roomFor(p); err != nil {
		return err
	}
	r.bundle, r.plan = b, p
	_, _, err = r.load(ctx)
	return err
}

// among tells whether about is one of the releases.
func among(releases []*Release, about Release) bool {
	for _, rel := range releases {
		if rel != nil && rel.same(about) {
			return true
		}
	}
	return false
}
