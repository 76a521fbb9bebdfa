package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// switchBoot tells the loader to try the boot slot of the release on trial, and after the reboot finds out what came of that.
func (r *run) switchBoot(ctx context.Context) (Phase, func(*journal), error) {
	trial, b := *r.journal.Trial, *r.journal.Reboot
	now, err := r.deps.BootID()
	if err != nil {
		return "", nil, err
	}
	running, err := r.booted(ctx)
	switch {
	case err != nil && b.Armed && b.Since != now && disagree(err):
		return r.failed(true, bad, "%s", err)
	case err != nil:
		return "", nil, err
	case running == trial.Boot:
		_, err := r.backend.Arm(ctx, trial.Slot)
		return Trial, func(j *journal) { j.Reboot = b.touched() }, err
	case b.Armed && b.Since == now:
		r.rebootDue = true
		return Armed, nil, nil
	case b.Since != "" && b.Since != now:
		state, err := r.loader.State(ctx, trial.Boot)
		if err != nil {
			return "", nil, err
		}
		if b.Armed || state.Verdict == slot.Trial {
			v, reason := b.fellBack(trial.Boot, state)
			return r.failed(v == bad, v, "%s", reason)
		}
	}
	return r.armLoader(ctx, trial, b, now)
}

// failed gives up a trial before its checks. ran tells that the slot on trial may have run.
func (r *run) failed(ran bool, v verdict, format string, args ...any) (Phase, func(*journal), error) {
	next, edit, err := r.fail(v, nil, format, args...)
	b := *r.journal.Reboot
	b.Ran = b.Ran || ran
	return next, func(j *journal) {
		edit(j)
		j.Reboot = &b
	}, err
}

// disagree tells whether loader, command line and root file system name different slots.
func disagree(err error) bool {
	var d interface{ Disagree() bool }
	return errors.As(err, &d) && d.Disagree()
}

// armLoader puts the boot slot on trial. The journal says so before, and again when it is done: what the loader then does is told
// from what it was never asked to do.
func (r *run) armLoader(ctx context.Context, trial Release, b reboot, now string) (Phase, func(*journal), error) {
	b.Since, b.Armed = now, false
	if err := r.change(func(j *journal) { j.Reboot = &b }); err != nil {
		return "", nil, err
	}
	if err := r.giveBackData(ctx); err != nil {
		return "", nil, err
	}
	r.say("switching", "boot slot %s <- %s, at the next boot", trial.Boot, trial.Version)
	if _, err := r.loader.Arm(ctx, trial.Boot); err != nil {
		return "", nil, err
	}
	state, err := r.loader.State(ctx, trial.Boot)
	if err != nil {
		return "", nil, err
	}
	done := *r.journal.Reboot
	done.Armed, done.Tries = true, state.Left
	r.rebootDue = true
	return Armed, func(j *journal) { j.Reboot = &done }, nil
}

// fellBack says why the loader has booted the old slot although the new one was armed. Loaders that know no trials say of one whose
// turn is still to come that it is good.
func (b *reboot) fellBack(trial slot.Name, state slot.State) (verdict, string) {
	switch {
	case state.Verdict == slot.Trial && b.Tries > 0 && state.Left >= b.Tries, state.Verdict == slot.Good && state.First:
		return unlucky, fmt.Sprintf("no try was taken: boot slot %s runs again, and the boot loader never tried slot %s; sallyport doctor looks at its set-up", b.Home, trial)
	case state.Verdict == slot.Trial && state.Left > 0:
		return bad, fmt.Sprintf("boot slot %s runs again, with %d tries of slot %s left: it started, and nobody confirmed it", b.Home, state.Left, trial)
	}
	return bad, fmt.Sprintf("tries used up: the boot loader fell back to slot %s, for slot %s did not start, or nobody confirmed it", b.Home, trial)
}

// mayHaveRun tells whether the slot on trial was booted since it was armed; of a machine that cannot tell, it may have been.
func (r *run) mayHaveRun(ctx context.Context) bool {
	b, trial := r.journal.Reboot, r.journal.Trial.Boot
	if booted, err := r.booted(ctx); err != nil || booted != b.Home {
		return true
	}
	now, err := r.deps.BootID()
	if err != nil || !b.Armed || b.Since == now {
		return err != nil
	}
	state, err := r.loader.State(ctx, trial)
	if err != nil {
		return true
	}
	v, _ := b.fellBack(trial, state)
	return v == bad
}

// runsTrial tells whether the release on trial is what was booted; if it is not, why.
func (r *run) runsTrial(ctx context.Context) (why string, err error) {
	if b := r.journal.Reboot; b != nil {
		booted, err := r.booted(ctx)
		switch {
		case disagree(err):
			return err.Error(), nil
		case err != nil:
			return "", err
		case booted != r.journal.Trial.Boot:
			return fmt.Sprintf("boot slot %s runs and not slot %s: the trial ended in a reboot", booted, r.journal.Trial.Boot), nil
		}
	}
	running, err := r.backend.Running(ctx)
	if err != nil {
		return "", err
	}
	if running != r.journal.Trial.Slot {
		return fmt.Sprintf("slot %s runs and not slot %s: the release did not start", running, r.journal.Trial.Slot), nil
	}
	return "", nil
}

// uncommitted tells why a release that has passed its checks does not run any more: the power went before the loader was told, and
// the tries were used up.
func (r *run) uncommitted(ctx context.Context) (why string, err error) {
	if r.journal.Reboot == nil {
		return "", nil
	}
	return r.runsTrial(ctx)
}

// commitBoot makes the boot slot of the release on trial the one that every later boot takes.
func (r *run) commitBoot(ctx context.Context) error {
	if r.journal.Reboot == nil {
		return nil
	}
	if err := r.openLoader(); err != nil {
		return err
	}
	return r.loader.Commit(ctx, r.journal.Trial.Boot)
}
