package kube

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Restored is what Restore could do.
type Restored struct {
	Inventory Inventory // of the objects wanted
	Changes   []Change  // what was done, object by object
	// Left are the objects that are not, or not in all, as wanted: each a Conflict whose Note says why.
	Left []Change
}

// Restore makes the objects be as an earlier release had them. Unlike Apply it is not all or nothing: what can be put back
// is, object by object, and the rest is named. It goes further than Apply to get there: it removes what stands in the way,
// whoever filled it in, and deletes and creates again what cannot be changed and holds no data.
//
// prev is what this site may have on the target. before, if there is any, is what was there before the release that is
// taken back: objects are made so again in what the release does not set, and those that it took over from others are
// handed back. The error is the target's, not an object's.
func (c *Cluster) Restore(ctx context.Context, want Objects, prev Inventory, before *Record) (*Restored, error) {
	p, err := c.newPlan(ctx, want, prev)
	if err != nil {
		return nil, err
	}
	r := &restoration{c: c, p: p, before: before}
	out := &Restored{Inventory: p.inventory()}
	first, err := r.unblock(ctx, prev.Minus(out.Inventory))
	if err != nil {
		return out, err
	}
	for s := range p.stages {
		open := slices.DeleteFunc(slices.Clone(p.stages[s]), func(it *item) bool { return it.change.Action != "" && it.change.Action != Conflict })
		if err := r.stage(ctx, open); err != nil {
			return out, err
		}
	}
	if err := r.pastOurWebhooks(ctx); err != nil {
		return out, err
	}
	for _, it := range p.items() {
		r.bitten(it)
	}
	handed, err := r.handBack(ctx, prev.Minus(out.Inventory))
	if err != nil {
		return out, err
	}
	for _, change := range slices.Concat(first, p.changes(), handed) {
		if change.Action == Conflict {
			out.Left = append(out.Left, change)
		} else {
			out.Changes = append(out.Changes, change)
		}
	}
	return out, nil
}

// restoration is one run of Restore.
type restoration struct {
	c      *Cluster
	p      *plan
	before *Record

	mu sync.Mutex
	// unblocked is when something that judges other objects was last changed or taken away: it bites a moment longer.
	unblocked time.Time
	// patient: our own webhooks have been told to let pass what they cannot judge.
	patient bool
}

// stage puts objects back, kind by kind.
func (r *restoration) stage(ctx context.Context, items []*item) error {
	for _, same := range byKind(items) {
		want := make([]*unstructured.Unstructured, len(same))
		for i, it := range same {
			want[i] = it.want
		}
		if err := r.learn(ctx, want); err != nil {
			return err
		}
		unlisted, err := r.c.eachLive(ctx, r.p.release, want, func(ctx context.Context, i int, live *unstructured.Unstructured) error {
			return r.one(ctx, same[i], live)
		})
		if err != nil {
			return err
		}
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(r.c.config.Workers)
		for _, i := range unlisted {
			g.Go(func() error { return r.one(ctx, same[i], nil) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// learn waits until the server tells of a kind that has come back a moment ago.
func (r *restoration) learn(ctx context.Context, same []*unstructured.Unstructured) error {
	for {
		if err := r.c.learnKinds(ctx, same); err != nil {
			return err
		}
		if r.c.knows(same[0].GroupVersionKind()) || time.Since(r.unblocked) > lagTime {
			return nil
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// one puts an object back, or makes it a Conflict. live is what a list told of it, if one did. It tries for as long as the
// server may not have noticed what was done a moment ago.
func (r *restoration) one(ctx context.Context, it *item, live *unstructured.Unstructured) error {
	end := time.Now().Add(lagTime)
	for {
		it.change, it.err = Change{ID: it.change.ID}, nil
		err := r.attempt(ctx, it, live)
		switch {
		case err == nil:
			if it.change.Action != Unchanged && (blocks(it.change.ID) || stageOf(it.want) == stageDefinitions) {
				r.unblocks()
			}
			return nil
		case isTargetError(ctx, err):
			return r.c.failed("restore "+it.change.String(), err)
		}
		it.err = err
		it.change = Change{ID: it.change.ID, Action: Conflict, Note: noteOf(err)}
		if !r.passes(err) || time.Now().After(end) {
			return nil
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
		live = nil
	}
}

// passes tells of errors that may be over in a moment, because of what was put back or changed a moment ago.
func (r *restoration) passes(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ours(err) && !r.patient {
		return false // for as long as what it calls is not back
	}
	return apierrors.IsConflict(err) || time.Since(r.unblocked) < lagTime && (isLag(err) || isBite(err))
}

// isTargetError tells of errors that are the server's or the caller's: no other object would fare better.
func isTargetError(ctx context.Context, err error) bool {
	var status apierrors.APIStatus
	var target *TargetError
	switch {
	case ctx.Err() != nil:
		return true
	case errors.As(err, &status):
		return apierrors.IsUnauthorized(err)
	case errors.As(err, &target), isNotSettled(err):
		return !isNotSettled(err)
	}
	_, _, ok := refusal(err)
	var own *leftError
	return !ok && !errors.As(err, &own)
}

// leftError is why an object is left as it is, where that is not the server's word.
type leftError struct{ text string }

func (e *leftError) Error() string { return e.text }

// noteOf says of an error why an object is left.
func noteOf(err error) string {
	if note, _, ok := refusal(err); ok {
		return note
	}
	return tidy(err.Error())
}

// attempt puts an object back, once.
func (r *restoration) attempt(ctx context.Context, it *item, live *unstructured.Unstructured) (err error) {
	if live == nil {
		if live, err = r.c.get(ctx, it.change.ID); err != nil {
			return err
		}
	}
	if live != nil && live.GetDeletionTimestamp() != nil {
		if err := r.c.waitGone(ctx, live, r.c.settled()); err != nil {
			return err
		}
		live = nil
	}
	if live, err = r.c.start(ctx, live); err != nil {
		return err
	}
	it.live = outline(live)
	if other := r.p.otherOwner(it); other != "" {
		return &leftError{"it belongs to the release " + other}
	}
	if takenOver(live) {
		annotate(it.want, AdoptedAnnotation, "true")
	}
	if live == nil {
		it.change.Action = Created
		return r.create(ctx, it)
	}
	if was := r.before.object(it.change.ID); was != nil {
		followHash(it.want, was)
	} else if _, err := r.c.settleHash(ctx, r.p, it, live); err != nil {
		return err
	}
	if done, err := r.asRecorded(ctx, it, live); done || apierrors.IsConflict(err) {
		return err
	}
	it.change = Change{ID: it.change.ID}
	after, err := r.c.try(ctx, it.want)
	forgetChance(after, live, it.want)
	if noDryRun(err) {
		after, err = nil, nil
	}
	if err == nil {
		err = r.bring(ctx, it, live, after)
	}
	if err != nil {
		return r.otherwise(ctx, it, live, err)
	}
	return nil
}

// bring writes an object that the server accepts. after is what an apply makes of it, nil if that cannot be tried.
func (r *restoration) bring(ctx context.Context, it *item, live, after *unstructured.Unstructured) error {
	if after == nil {
		it.change.Action = Configured
		return r.c.send(ctx, it.want.DeepCopy())
	}
	e := r.expect(ctx, it, live, after)
	owners := ownersOf(live)
	to, note := after, ""
	if e != nil {
		to = e.settle(after, owners)
		note = e.note()
	}
	_, claim := claimOf(after)
	if empty := to.DeepCopy(); withEmpty(empty.Object, live.Object, it.want.Object, claim) {
		to = empty
	}
	if sameContent(live, to) {
		it.change.Action = Unchanged
		if sameClaim(live, after) {
			return nil
		}
		return r.c.send(ctx, it.want.DeepCopy())
	}
	it.change.Action, it.change.Fields = Configured, differences(live, to)
	if sameContent(after, to) {
		return r.c.send(ctx, it.want.DeepCopy())
	}
	it.change.Note = note
	return r.c.put(ctx, it.want, live, to)
}

// expect returns what the object should look like beyond what the release sets: as it was, or as a new one would be. nil if
// nobody knows.
func (r *restoration) expect(ctx context.Context, it *item, live, after *unstructured.Unstructured) *expectation {
	_, claim := claimOf(after)
	if was := r.was(it, live); was != nil {
		return &expectation{full: was, recorded: true, others: true, claim: claim}
	}
	if sameContent(live, after) {
		return nil // an object that the other release had in no other way
	}
	full, err := r.c.asNew(ctx, it.want)
	if err != nil {
		return nil
	}
	return &expectation{full: full, others: true, claim: claim}
}

// was returns what is recorded of an object, in the version of the live one.
func (r *restoration) was(it *item, live *unstructured.Unstructured) *unstructured.Unstructured {
	if was := r.before.object(it.change.ID); was != nil && was.GetAPIVersion() == live.GetAPIVersion() {
		return was
	}
	return nil
}

// otherwise finds another way for an object that the server refuses.
func (r *restoration) otherwise(ctx context.Context, it *item, live *unstructured.Unstructured, refused error) error {
	if handled, err := r.keepVersions(ctx, it, live, refused); handled {
		return err
	}
	switch {
	case !isImmutable(refused):
		return r.mend(ctx, it, live, refused)
	case !holdsData(it.want):
		return r.recreate(ctx, it, live, refused)
	}
	return r.inPart(ctx, it, live, refused)
}

// mend writes an object without what stands in its way, if that is what the server minds.
func (r *restoration) mend(ctx context.Context, it *item, live *unstructured.Unstructured, refused error) error {
	e := &expectation{others: true, refused: true}
	if was := r.was(it, live); was != nil {
		e.full, e.recorded = was, true
	}
	to, note := r.c.mended(ctx, it.want, live, e)
	if to == nil {
		return refused
	}
	it.change.Action, it.change.Fields, it.change.Note = Configured, differences(live, to), note
	return r.c.put(ctx, it.want, live, to)
}
