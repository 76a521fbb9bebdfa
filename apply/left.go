package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-dev/sallyport/apply/kube"
)

// againTime is how long a verb that is about something else tries what earlier runs could not do on the target.
const againTime = 15 * time.Second

// maxLeft is how many objects an attempt in the history names.
const maxLeft = 100

// Left is an object on the target that is not as the current release has it, and why.
type Left struct {
	kube.ID
	Why string `json:"why"`
}

func leftOf(changes []kube.Change) (left []Left) {
	for _, c := range changes {
		left = append(left, Left{ID: c.ID, Why: cmp.Or(oneLine(c.Note), "no reason was given")})
	}
	return left
}

// leavingOf lists what is to leave the target, and is still there for no other reason than that nobody has deleted it yet.
func leavingOf(v kube.Inventory) (leaving []Left) {
	for _, id := range v.IDs() {
		leaving = append(leaving, Left{ID: id})
	}
	return leaving
}

func inventoryOf(all []Left) kube.Inventory {
	var ids []kube.ID
	for _, l := range all {
		ids = append(ids, l.ID)
	}
	return kube.NewInventory(ids...)
}

// stuckAmong leaves out what nobody has tried to delete yet.
func stuckAmong(leaving []Left) (stuck []Left) {
	for _, l := range leaving {
		if l.Why != "" {
			stuck = append(stuck, l)
		}
	}
	return stuck
}

// first are the objects that an attempt in the history names.
func first(all []Left) []Left { return all[:min(len(all), maxLeft)] }

// named lists the first few objects with their reasons.
func named(all []Left) (text string) {
	const most = 3
	for i, l := range all {
		if i == most {
			return text + fmt.Sprintf("; and %d more", len(all)-most)
		}
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("%s: %s", l.ID, l.Why)
	}
	return text
}

// prune deletes what is to leave the target. What cannot be deleted, or has not gone, stays in the journal's Leaving, so
// that later verbs try again; that is no error. The error is the target's, or a fault of the state.
func (r *run) prune(ctx context.Context) error {
	leaving := inventoryOf(r.journal.Leaving)
	staying := r.journal.Live.Minus(leaving)
	if leaving.Len() == 0 && staying.Len() > 0 {
		return nil
	}
	var pruned []kube.Change
	err := r.openTarget(ctx)
	if err == nil {
		pruned, err = r.target.Prune(ctx, r.journal.Live, staying)
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	still := stillThere(r.journal.Leaving, pruned, err)
	if len(pruned) > 0 {
		r.say("objects", "%s", summary(pruned))
	}
	if stay := pick(pruned, stays); len(stay) > 0 {
		r.say("note", "left on the target: %s", named(leftOf(stay)))
	}
	if len(still) > 0 {
		r.say("note", "still on the target, which each later verb tries again: %s", named(still))
	}
	return errors.Join(err, r.change(func(j *journal) {
		j.Leaving, j.Live = still, staying.Union(inventoryOf(still)).Union(kept(pruned))
	}))
}

// stays tells that an object has left the release and not the target, and is not to leave it.
func stays(c kube.Change) bool { return c.Action == kube.Kept || c.Action == kube.GivenUp }

// stillThere lists what pruning has not got rid of: what it says so of and, if it broke off, what it has not come to.
func stillThere(leaving []Left, pruned []kube.Change, err error) []Left {
	done := map[kube.ID]bool{}
	var hanging []kube.Change
	for _, c := range pruned {
		done[c.ID] = true
		if c.Action == kube.Leaving {
			hanging = append(hanging, c)
		}
	}
	still := leftOf(hanging)
	if err == nil {
		return still
	}
	for _, l := range leaving {
		if !done[l.ID] {
			still = append(still, Left{ID: l.ID, Why: oneLine(err.Error())})
		}
	}
	return still
}

// unsettled tells whether something is still to be done on the target for the release that runs.
func (j *journal) unsettled() bool {
	return (j.Phase == Idle || j.Phase == Written) && (j.Unrestored != "" || len(j.Left) > 0 || len(j.Leaving) > 0)
}

// settled forgets the record of a rollback of which nothing is left to do.
func (j *journal) settled() {
	if len(j.Left) == 0 && j.Unrestored == "" {
		j.Recorded = 0
	}
}

// again tries what earlier runs could not do on the target. It holds up no verb: what fails now is left to the next one.
func (r *run) again(ctx context.Context) error {
	if !r.journal.unsettled() {
		return nil
	}
	limited := ctx
	if r.verb != verbConfirm {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, againTime)
		defer cancel()
	}
	err := r.settle(limited)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return r.interrupted(ctx)
	case isStateError(err):
		return err
	case errors.Is(limited.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("it took longer than %s", againTime)
	}
	r.say("note", "what the target lacks of %s was tried again, and stays: %s", r.before(), oneLine(err.Error()))
	return nil
}

// settle makes the target be as the current release has it, as far as that can be now.
func (r *run) settle(ctx context.Context) error {
	if r.journal.Unrestored != "" {
		return r.restoreAgain(ctx)
	}
	if err := r.openTarget(ctx); err != nil {
		return err
	}
	if err := r.leftAgain(ctx); err != nil {
		return err
	}
	return r.prune(ctx)
}

// restoreAgain takes up a rollback that was given up for another release.
func (r *run) restoreAgain(ctx context.Context) error {
	if err := r.restore(ctx); err != nil {
		return err
	}
	failed, err := r.recheck(ctx)
	if err != nil {
		return err
	}
	r.say("note", "%s was put back", r.before())
	return r.change(func(j *journal) {
		j.NeedsPerson = oneLine(failed)
		j.settled()
	})
}

// leftAgain puts back the objects that could not be put back before.
func (r *run) leftAgain(ctx context.Context) error {
	if len(r.journal.Left) == 0 || r.journal.Current == nil {
		return nil
	}
	rel, err := r.loadSlot(*r.journal.Current)
	if err != nil {
		return err
	}
	left := inventoryOf(r.journal.Left)
	want, err := rel.objects().Only(left)
	if err != nil {
		return err
	}
	restored, err := r.target.Restore(ctx, want, left, r.recorded(r.journal.Recorded))
	if err != nil {
		return err
	}
	still := leftOf(restored.Left)
	if back := len(r.journal.Left) - len(still); back > 0 {
		r.say("note", "%d of %d objects that could not be put back are now as %s has them", back, len(r.journal.Left), r.before())
	}
	if len(still) > 0 {
		r.say("note", "not as %s has it, and tried again by each later verb: %s", r.before(), named(still))
	}
	return r.change(func(j *journal) {
		j.Left = still
		j.settled()
	})
}
