package apply

import (
	"context"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// Repair brings anew what slot and mirror lack of a release that the site holds, from a bundle of it. drop is called first,
// under the site's lock and with the releases in the slots: it deletes what is damaged, so that it counts as lacking.
// Where that was the current release, it is put on the target again.
func (s *Site) Repair(ctx context.Context, in Input, drop func(context.Context, []*bundle.Descriptor) error) (res *Result, err error) {
	r, err := s.begin("mirror fsck")
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	stuck := r.resume(ctx)
	if stuck != nil && !r.mendable(ctx, stuck) {
		return nil, stuck
	}
	held := r.held()
	b, counter, err := r.verifiedAmong(held, in, r.journal)
	if err != nil {
		return nil, err
	}
	about := releaseOf(b.Descriptor(), b.ReleaseDigest())
	which := among(held, about)
	switch {
	case stuck != nil && which != r.journal.Current:
		return nil, stuck
	case which == nil:
		if err := r.fitsName(b.Descriptor(), r.journal); err != nil {
			return nil, err
		}
		return nil, errorf("usage", "give the bundle of a release that sallyport status names",
			"%s is in no slot of this site", about)
	}
	if err := r.repair(ctx, b, which, drop); err != nil {
		if ctx.Err() != nil {
			return nil, r.interrupted(ctx)
		}
		return nil, err
	}
	if stuck != nil {
		if err := r.resume(ctx); err != nil {
			return nil, err
		}
	}
	r.bytes.Read = counter.n
	return r.result(ResultNothing, r.journal.Current), nil
}

func (r *run) repair(ctx context.Context, b *verify.Bundle, which *Release, drop func(context.Context, []*bundle.Descriptor) error) error {
	if err := drop(ctx, append(r.readable(), b.Descriptor())); err != nil {
		return err
	}
	d := r.damageOf(ctx, *which)
	d.everything = true
	if which == r.journal.Current && r.journal.Phase == Idle && !d.none() {
		return r.mendCurrent(ctx, b, d)
	}
	return r.refill(ctx, b, which, d)
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

// among returns the one of the releases that about is; nil if it is none.
func among(releases []*Release, about Release) *Release {
	for _, rel := range releases {
		if rel != nil && rel.same(about) {
			return rel
		}
	}
	return nil
}
