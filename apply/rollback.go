package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/slot"
)

// rollBack puts back what ran before the trial: the current release, or nothing if there never was one.
func (r *run) rollBack(ctx context.Context) (Phase, func(*journal), error) {
	r.say("rolling", "%s failed (%s); going back to %s", r.journal.Trial, r.journal.Attempt.Reason, r.before())
	there, err := r.bootBack(ctx)
	switch {
	case err != nil && (ctx.Err() != nil || isStateError(err)):
		return "", nil, err
	case err != nil:
		return "", nil, r.stuck(err)
	case !there:
		return RollingBack, nil, nil
	}
	if err := r.outlast(ctx, r.restore); err != nil {
		if ctx.Err() != nil || isStateError(err) {
			return "", nil, err
		}
		return "", nil, r.stuck(err)
	}
	failed, err := r.recheck(ctx)
	if err != nil {
		return "", nil, err
	}
	return r.rolledBack(failed)
}

// formerSlot is the slot of what ran before the trial.
func (r *run) formerSlot() slot.Name {
	if r.journal.Current == nil {
		return slot.None
	}
	return r.journal.Current.Slot
}

// before names what ran before the trial.
func (r *run) before() string {
	if r.journal.Current == nil {
		return "an empty site"
	}
	return r.journal.Current.String()
}

// restore makes the running slot, the mirror's tags and the target those of the current release.
func (r *run) restore(ctx context.Context) error {
	if err := r.openAll(ctx); err != nil {
		return err
	}
	if r.journal.Current == nil {
		return r.empty(ctx)
	}
	rel, err := r.loadSlot(*r.journal.Current)
	if err != nil {
		return err
	}
	inventory, err := r.target.Inventory(ctx, rel.objects())
	if err != nil {
		return err
	}
	if inventory, err = r.withLost(ctx, inventory); err != nil {
		return err
	}
	if err := r.change(func(j *journal) { j.Live, j.Recollected = j.Live.Union(inventory), false }); err != nil {
		return err
	}
	if _, err := r.backend.Arm(ctx, r.formerSlot()); err != nil {
		return err
	}
	rel, err = r.tagged(ctx, *r.journal.Current)
	if err != nil {
		return err
	}
	if err := r.putBack(ctx, rel.objects(), r.recorded(r.journal.Recorded)); err != nil {
		return err
	}
	return r.prune(ctx)
}

// empty takes everything of ours off the target, what is in the way of that first.
func (r *run) empty(ctx context.Context) error {
	failed := r.journal.LastAttempted
	if r.journal.Attempt != nil {
		failed = r.journal.Attempt
	}
	if err := r.putBack(ctx, kube.Objects{Release: failed.Name}, r.recorded(r.journal.Recorded)); err != nil {
		return err
	}
	if err := r.prune(ctx); err != nil {
		return err
	}
	_, err := r.backend.Arm(ctx, r.formerSlot())
	return err
}

// recheck asks the current release's checks whether it is well again.
func (r *run) recheck(ctx context.Context) (failed string, err error) {
	if r.journal.Current == nil {
		return "", nil
	}
	_, failed, err = r.check(ctx, *r.journal.Current)
	if failed != "" {
		failed = fmt.Sprintf("%s runs again, but fails its own checks: %s", r.journal.Current, failed)
	}
	return failed, err
}

// rolledBack ends the transaction and gives its slot back to the release that had it before.
func (r *run) rolledBack(person string) (Phase, func(*journal), error) {
	previous, err := r.emptySlot()
	if err != nil {
		return "", nil, err
	}
	result := ResultRolledBack
	if person != "" {
		result = resultPerson
	}
	a := r.ended(result, r.journal.Attempt.Reason)
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return "", nil, err
	}
	return Idle, func(j *journal) {
		j.Previous, j.Outgoing, j.Reboot = previous, nil, nil
		j.settled()
		j.Trial, j.Attempt, j.LastAttempted, j.Attempts = nil, nil, &a, 0
		j.NeedsPerson = oneLine(person)
	}, nil
}

// emptySlot takes the release that failed out of its slot, and returns which release is in it then. One that was itself
// the previous release stays.
func (r *run) emptySlot() (*Release, error) {
	trial := *r.journal.Trial
	if r.journal.Attempt.Verb == verbRollback {
		return &trial, nil
	}
	previous, err := r.bringBack(r.journal.Outgoing)
	if previous != nil || err != nil {
		return previous, err
	}
	return nil, r.slots.Remove(trial.Slot)
}

// confirmAgain is what to do about a rollback that is stuck.
const confirmAgain = "mend what is named, then run sallyport confirm, which tries again; a newer release that mends it is taken, too"

// stuck journals that what ran before could not be put back, and says so. The phase stays: the next verb tries again.
func (r *run) stuck(err error) error {
	e := &Error{Word: "person", Err: err,
		Text:   fmt.Sprintf("%s failed (%s), and %s could not be put back", r.journal.Trial, r.journal.Attempt.Reason, r.before()),
		Advice: confirmAgain}
	return errors.Join(e, r.change(func(j *journal) { j.NeedsPerson = oneLine(e.Error()) }))
}
