package apply

import (
	"context"
	"errors"

	"github.com/sallyport-dev/sallyport/verify"
)

// forward begins the transaction of a release on a site whose rollback is stuck: it may be the one that mends what keeps the
// former release away. Until it is known to fit, and its bundle to be trusted, the rollback stays what is under way.
func (r *run) forward(ctx context.Context, b *verify.Bundle, about Release, o Options, stuck error) error {
	p, err := r.judge(ctx, b.Descriptor(), about, o)
	var unfit *Error
	switch {
	case ctx.Err() != nil:
		return r.interrupted(ctx)
	case errors.As(err, &unfit):
		return err
	case err != nil:
		return stuck // mirror or target would not take this release either
	}
	if r.journal.Reboot != nil {
		return stuck // nothing may be written to boot slots of which nobody knows which one runs
	}
	if err := r.leaveBehind(ctx, stuck); err != nil {
		return err
	}
	return r.takeIn(b, p, about)
}

// leaveBehind ends a rollback that cannot be finished. What ran before stays the current release: it is what a trial that
// fails goes back to, and what later verbs try to put back.
func (r *run) leaveBehind(ctx context.Context, why error) error {
	r.say("note", "the rollback to %s is left unfinished for another release", r.before())
	if _, err := r.backend.Arm(ctx, r.formerSlot()); err != nil {
		return err
	}
	previous, err := r.emptySlot()
	if err != nil {
		return err
	}
	a := r.ended(resultPerson, r.journal.Attempt.Reason)
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return err
	}
	r.outcome = nil
	return r.change(func(j *journal) {
		j.Phase, j.Unrestored, j.Left, j.Leaving = Idle, oneLine(why.Error()), nil, nil
		j.Previous, j.Outgoing = previous, nil
		j.Trial, j.Attempt, j.LastAttempted, j.Attempts = nil, nil, &a, 0
	})
}
