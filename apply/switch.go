package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/slot"
)

// maxTries is how often a trial is begun before a release that takes the site down each time is given up.
const maxTries = 3

// arm finds out whether the staged release can be switched to, which touches nothing, and then begins to.
func (r *run) arm(ctx context.Context) (Phase, func(*journal), error) {
	rel, err := r.loadSlot(*r.journal.Staged)
	if err != nil {
		return "", nil, err
	}
	if err := r.gate(rel.descriptor, r.anyTime); err != nil {
		return "", nil, err
	}
	prepared, err := r.preflight(ctx, *r.journal.Staged, r.journal.Transaction)
	if err != nil {
		return "", nil, err
	}
	// Data that were saved may have taken a while.
	if err := r.gate(rel.descriptor, r.anyTime); err != nil {
		return "", nil, err
	}
	return Armed, func(j *journal) {
		j.Trial, j.Staged, j.Attempts = j.Staged, nil, 0
		prepared(j)
	}, nil
}

// preflight asks everybody who will have a part in the trial and records what is on the target. It returns what the journal
// has to say before anything is touched: what the release will put on the target, and whose record there is.
func (r *run) preflight(ctx context.Context, which Release, transaction uint64) (func(*journal), error) {
	rel, err := r.loadSlot(which)
	if err != nil {
		return nil, err
	}
	if err := r.ready(ctx, rel.descriptor); err != nil {
		return nil, err
	}
	if err := r.openMirror(ctx); err != nil {
		return nil, err
	}
	if err := r.imagesServed(ctx, rel); err != nil {
		return nil, err
	}
	if err := r.accepted(ctx, rel); err != nil {
		return nil, err
	}
	inventory, err := r.target.Inventory(ctx, rel.objects())
	if err != nil {
		return nil, err
	}
	if inventory, err = r.withLost(ctx, inventory); err != nil {
		return nil, err
	}
	recorded, err := r.record(ctx, rel, transaction)
	if err != nil {
		return nil, err
	}
	boot, err := r.planReboot(ctx, which)
	if err != nil {
		return nil, err
	}
	if boot != nil {
		if boot.Backup, err = r.backUp(ctx, transaction); err != nil {
			return nil, err
		}
	}
	return func(j *journal) {
		j.Reboot = boot
		j.Live, j.Recollected, j.Recorded = j.Live.Union(inventory), false, recorded
	}, nil
}

// withLost adds to an inventory, where the journal was lost, what the releases in both slots may have put on the target.
func (r *run) withLost(ctx context.Context, inventory kube.Inventory) (kube.Inventory, error) {
	if !r.journal.Recollected {
		return inventory, nil
	}
	for _, n := range []slot.Name{slot.A, slot.B} {
		held, err := r.slots.Load(n)
		if err != nil {
			continue // it tells nothing
		}
		d, err := describedBy(held)
		if err != nil {
			continue
		}
		more, err := r.target.Inventory(ctx, objectsOf(d, held.Objects))
		if err != nil {
			return inventory, err
		}
		inventory = inventory.Union(more)
	}
	return inventory, nil
}

// openAll connects to the mirror and to the target.
func (r *run) openAll(ctx context.Context) error {
	if err := r.openMirror(ctx); err != nil {
		return err
	}
	return r.openTarget(ctx)
}

// switchSlot makes the slot on trial the one that runs, at once or after a reboot.
func (r *run) switchSlot(ctx context.Context) (Phase, func(*journal), error) {
	if r.journal.Reboot != nil {
		return r.switchBoot(ctx)
	}
	trial := *r.journal.Trial
	running, err := r.backend.Running(ctx)
	if err != nil {
		return "", nil, err
	}
	if running == trial.Slot {
		return Trial, nil, nil
	}
	r.say("switching", "slot %s <- %s", trial.Slot, trial.Version)
	_, err = r.backend.Arm(ctx, trial.Slot)
	return Trial, nil, err
}

// try puts the release on the target and asks the checks. Only an interruption leaves the trial undecided.
func (r *run) try(ctx context.Context) (Phase, func(*journal), error) {
	if err := r.openMirror(ctx); err != nil {
		return "", nil, err
	}
	other, err := r.runsTrial(ctx)
	if err != nil {
		return "", nil, err
	}
	switch {
	case other != "":
		return r.fail(bad, nil, "%s", other)
	case r.journal.Attempts >= maxTries:
		return r.fail(bad, nil, "its trial was cut short %d times", maxTries)
	}
	if err := r.outlast(ctx, r.readyToTry); err != nil {
		return r.notReady(ctx, err)
	}
	if err := r.change(func(j *journal) { j.Attempts++ }); err != nil {
		return "", nil, err
	}
	if err := r.outlast(ctx, func(ctx context.Context) error { return r.put(ctx, *r.journal.Trial) }); err != nil {
		if ctx.Err() != nil || isStateError(err) {
			return "", nil, err
		}
		return r.fail(isRefusal(err), nil, "%s", err)
	}
	results, failed, err := r.check(ctx, *r.journal.Trial)
	if err != nil {
		return "", nil, err
	}
	if failed != "" {
		return r.fail(r.blame(results), results, "%s", failed)
	}
	return Good, remember(results, ""), nil
}

// notReady is a trial that cannot begin. A cluster that does not answer, such as one that boots, could be given nothing back
// either, so the trial waits; but not beyond the deadline of a boot, since the way back leads to another operating system.
func (r *run) notReady(ctx context.Context, err error) (Phase, func(*journal), error) {
	end := r.trialEnd()
	switch {
	case ctx.Err() != nil:
		return "", nil, err
	case isUnusable(err):
		return r.fail(unlucky, nil, "%s", err)
	case !end.IsZero() && time.Until(end) < outagePause:
		return r.fail(bad, nil, "%s; its trial had to end within %s of the boot", err, r.cfg.Spec.Slots.deadline())
	}
	return "", nil, err
}

// verdict on a release: bad is one that is not to be tried here again, unlucky one for which others are to blame.
type verdict bool

const (
	bad     verdict = true
	unlucky verdict = false
)

// blame tells a release that failed a check from a target that was away while the check asked it.
func (r *run) blame(results []check.Result) verdict {
	asked := slices.ContainsFunc(results, func(c check.Result) bool {
		return c.Required && c.Kind == "kubernetes" && c.Verdict == check.Error
	})
	return verdict(!asked || !r.away)
}

// isRefusal tells a release that the target does not take from a target or mirror that is out of order, or that this
// site may not write.
func isRefusal(err error) verdict {
	var refused *kube.RefusedError
	var hook *kube.HookError
	var unhealthy *kube.UnhealthyError // a wave that holds up the next
	return verdict(errors.As(err, &refused) && refused.Reason() == "refused" || errors.As(err, &hook) || errors.As(err, &unhealthy))
}

// isUnusable tells what somebody has to mend from what may be well again by itself: a target that does not answer.
func isUnusable(err error) bool {
	var target *kube.TargetError
	return !errors.As(err, &target) || target.Reason() != "target"
}

// fail gives the trial up.
func (r *run) fail(v verdict, results []check.Result, format string, args ...any) (Phase, func(*journal), error) {
	reason := oneLine(fmt.Sprintf(format, args...))
	return RollingBack, func(j *journal) {
		if v == bad {
			j.markBad(*j.Trial)
		}
		remember(results, reason)(j)
	}, nil
}

// remember notes in the attempt under way how the trial went.
func remember(results []check.Result, reason string) func(*journal) {
	return func(j *journal) {
		a := *j.Attempt
		a.Checks, a.Reason = results, reason
		j.Attempt = &a
	}
}

// isStateError tells whether the state could not be kept: then nothing more may be done.
func isStateError(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Word == "state"
}

// put makes the mirror answer for the names of the release's images, and the target hold its objects. The journal's Live
// has to list those objects before. What is to leave the target stays until the release is committed.
func (r *run) put(ctx context.Context, which Release) error {
	rel, err := r.tagged(ctx, which)
	if err != nil {
		return err
	}
	if r.journal.Attempt.Verb == verbRollback {
		// What once ran is not held to what the target takes today.
		return r.putBack(ctx, rel.objects(), r.recorded(r.journal.Before))
	}
	if err := r.makeWay(ctx, rel.objects()); err != nil {
		return err
	}
	inventory, changes, err := r.target.Apply(ctx, r.hooked(rel), r.journal.Live)
	if err != nil {
		return err
	}
	r.say("objects", "%s", summary(changes))
	return r.change(func(j *journal) { j.Left, j.Leaving = nil, leavingOf(j.Live.Minus(inventory)) })
}

// makeWay stops what is to leave the target and holds what the release needs to start, such as a port of the host.
func (r *run) makeWay(ctx context.Context, want kube.Objects) error {
	stopped, err := r.target.MakeWay(ctx, want, r.journal.Live)
	for _, c := range stopped {
		r.say("note", "%s: %s", c.ID, c.Note)
	}
	return err
}

// tagged reads a release from its slot and makes the mirror answer for the names of its images.
func (r *run) tagged(ctx context.Context, which Release) (*slotRelease, error) {
	rel, err := r.loadSlot(which)
	if err != nil {
		return nil, err
	}
	for _, img := range rel.descriptor.Images {
		if _, err := r.mirror.TagImage(ctx, img, r.raw(ctx, rel, img)); err != nil {
			return nil, err
		}
	}
	return rel, nil
}

// putBack makes the target hold a release's objects again, as far as that can be, and journals what could not be put back.
func (r *run) putBack(ctx context.Context, want kube.Objects, before *kube.Record) error {
	if err := r.undoHooks(ctx, "pre"); err != nil {
		return err
	}
	if err := r.makeWay(ctx, want); err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.say("note", "%s", err) // what can be put back is
	}
	restored, err := r.target.Restore(ctx, want, r.journal.Live, before)
	if err != nil {
		return err
	}
	left := leftOf(restored.Left)
	r.say("objects", "%s", summary(restored.Changes))
	if len(left) > 0 {
		r.say("note", "%d objects could not be put back: %s", len(left), named(left))
	}
	err = r.change(func(j *journal) {
		j.Left, j.Leaving, j.Unrestored = left, leavingOf(j.Live.Minus(restored.Inventory)), ""
	})
	if err != nil {
		return err
	}
	return r.undoHooks(ctx, "post")
}

// kept lists what Prune left on the target, so that later ones look at it again.
func kept(changes []kube.Change) kube.Inventory {
	var ids []kube.ID
	for _, c := range changes {
		if c.Action == kube.Kept {
			ids = append(ids, c.ID)
		}
	}
	return kube.NewInventory(ids...)
}

// check runs the release's checks and the site's, and says which failed. The error is an interruption, or a fault of
// the state.
func (r *run) check(ctx context.Context, which Release) (results []check.Result, failed string, err error) {
	rel, err := r.loadSlot(which)
	if err != nil {
		return nil, "", err
	}
	own, err := r.siteChecks()
	if err != nil {
		return nil, err.Error(), nil
	}
	checks := slices.Concat(rel.descriptor.Checks, own)
	if len(checks) == 0 {
		r.say("checks", "none: neither the release nor the site names any")
	}
	if err := r.unstickAll(ctx, rel); err != nil {
		return nil, "", err
	}
	results, ok, err := r.deps.RunChecks(ctx, checks, r.checkEnv(rel))
	if err != nil || ok {
		return results, "", err
	}
	return results, firstFailure(results), nil
}

func firstFailure(results []check.Result) string {
	for _, c := range results {
		if c.Required && c.Verdict != check.Pass && c.Verdict != check.Skipped {
			return fmt.Sprintf("check %s: %s", c.Name, c.Message)
		}
	}
	return "a check failed"
}

// commit deletes what left with the release before, and makes the release on trial the current one.
func (r *run) commit(ctx context.Context) (Phase, func(*journal), error) {
	other, err := r.uncommitted(ctx)
	if err != nil {
		return "", nil, err
	}
	if other != "" {
		return r.fail(unlucky, r.journal.Attempt.Checks, "it passed its checks, and the machine was booted before it was committed: %s", other)
	}
	if err := r.commitBoot(ctx); err != nil {
		return "", nil, err
	}
	if err := r.backend.Commit(ctx, r.journal.Trial.Slot); err != nil {
		return "", nil, err
	}
	// What cannot be deleted now is no reason to give up a release that has passed its checks.
	if err := r.prune(ctx); err != nil && (ctx.Err() != nil || isStateError(err)) {
		return "", nil, err
	}
	result := ResultCommitted
	if r.journal.Attempt.Verb == verbRollback {
		result = ResultRolledBack
	}
	a := r.ended(result, "")
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return "", nil, err
	}
	return Idle, func(j *journal) {
		j.PutBack = nil
		if result == ResultRolledBack && j.Current != nil {
			j.PutBack = &PutBack{Release: *j.Current, At: a.Ended}
		}
		if j.Reboot != nil {
			j.Saved = j.Reboot.Backup
			if j.Spoiled == j.Trial.Boot {
				j.Spoiled = slot.None
			}
		}
		j.Previous, j.Current, j.Trial, j.Outgoing, j.Reboot = j.Current, j.Trial, nil, nil, nil
		j.committed(*j.Current)
		j.Attempts, j.NeedsPerson, j.Unrestored = 0, "", ""
		j.Before, j.Recorded = j.Recorded, j.Before
		if len(j.Left) == 0 {
			j.Recorded = 0
		}
		j.Attempt, j.LastAttempted = nil, &a
	}, nil
}
