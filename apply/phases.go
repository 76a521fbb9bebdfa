package apply

import (
	"context"
	"errors"
)

// work is one phase at work. It returns the phase that follows and, if more than the phase changes in the journal,
// what. It is idempotent: it may have been cut short at any instruction before.
type work func(ctx context.Context) (next Phase, edit func(*journal), err error)

// table says what is done in each phase. Idle has no work.
func (r *run) table() map[Phase]work {
	return map[Phase]work{
		Verified:    r.load,
		Loaded:      r.fill,
		Written:     r.arm,
		Armed:       r.switchSlot,
		Trial:       r.try,
		Good:        r.commit,
		RollingBack: r.rollBack,
	}
}

// walk goes from phase to phase until there is nothing more to do. It is the one way through a transaction, for a run
// that begins one and for a run that finds one.
func (r *run) walk(ctx context.Context) error {
	phases := r.table()
	for !r.resting() {
		if err := ctx.Err(); err != nil {
			return r.stopped(ctx, err)
		}
		next, edit, err := phases[r.journal.Phase](ctx)
		if err != nil {
			return r.stopped(ctx, err)
		}
		err = r.change(func(j *journal) {
			j.Phase = next
			if edit != nil {
				edit(j)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// resting tells whether the transaction may stay where it is for good.
func (r *run) resting() bool {
	switch r.journal.Phase {
	case Idle:
		return true
	case Written:
		return !r.switching
	case Armed, RollingBack:
		return r.rebootDue
	}
	return false
}

// stopped undoes a transaction that failed before anything that runs was touched; a later one stays in its phase, for
// the next run to take up.
func (r *run) stopped(ctx context.Context, err error) error {
	if r.journal.Phase == Verified || r.journal.Phase == Loaded {
		result, reason := resultFailed, err.Error()
		if ctx.Err() != nil {
			result, reason = resultInterrupted, ""
		}
		// If this fails too, the next run does it.
		err = errors.Join(err, r.abandon(result, reason))
	}
	if ctx.Err() != nil {
		return r.interrupted(ctx)
	}
	return err
}

// abandon ends a transaction that has touched nothing that runs.
func (r *run) abandon(result, reason string) error {
	a := r.ended(result, reason)
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return err
	}
	edit, err := r.given(a)
	if err != nil {
		return err
	}
	return r.change(func(j *journal) {
		j.Phase = Idle
		edit(j)
	})
}

// given edits the journal for a transaction that was given up. Filling the slot may have got far enough to take the
// previous release out of it.
func (r *run) given(a Attempt) (func(*journal), error) {
	kept := r.journal.Outgoing
	if kept == nil {
		kept = r.journal.Previous
	}
	previous, err := r.bringBack(kept)
	if err != nil {
		return nil, err
	}
	return func(j *journal) {
		j.Staged, j.Attempt, j.LastAttempted = nil, nil, &a
		j.Previous, j.Outgoing = previous, nil
	}, nil
}

// ended completes the attempt under way.
func (r *run) ended(result, reason string) Attempt {
	a := *r.journal.Attempt
	a.Result, a.Reason, a.Ended = result, oneLine(reason), r.deps.Now().UTC()
	a.Left, a.Leaving = first(r.journal.Left), first(stuckAmong(r.journal.Leaving))
	r.evident(&a)
	r.outcome = &a
	return a
}

// resume finishes or undoes what an earlier run left. Every verb that changes anything begins with it.
func (r *run) resume(ctx context.Context) error {
	if r.resting() {
		return r.again(ctx)
	}
	r.say("note", "taking up %s of %s, which was left in phase %s",
		r.journal.Attempt.Verb, r.journal.Attempt.Release, r.journal.Phase)
	if err := r.walk(ctx); err != nil {
		return err
	}
	if r.rebootDue {
		return r.due()
	}
	if r.outcome != nil && r.outcome.Reason != "" {
		r.say("note", "%s was %s: %s", r.outcome.Release, r.outcome.Result, r.outcome.Reason)
	}
	if r.outcome == nil || r.outcome.Result == resultInterrupted {
		return r.again(ctx) // nothing was tried on the target yet
	}
	return nil
}

// start begins a transaction about a release. None is under way: what was staged, if anything, is given up.
func (r *run) start(rel Release, edit func(*journal)) error {
	return r.change(func(j *journal) {
		j.Transaction++
		j.Hooks = nil
		j.Attempt = &Attempt{Transaction: j.Transaction, Release: rel, Verb: r.verb, Began: r.began.UTC()}
		edit(j)
	})
}
