package apply

import (
	"context"
	"fmt"
)

// bootBack makes the loader boot the former slot again. It returns true once that runs; else a reboot is due.
func (r *run) bootBack(ctx context.Context) (there bool, err error) {
	b := r.journal.Reboot
	if b == nil {
		return true, nil
	}
	now, err := r.deps.BootID()
	if err != nil {
		return false, err
	}
	if err := r.openLoader(); err != nil {
		return false, err
	}
	if err := r.loader.Disarm(ctx, r.journal.Trial.Boot); err != nil {
		return false, err
	}
	running, err := r.booted(ctx)
	if err == nil && running == b.Home {
		return true, r.restoreData(ctx, false)
	}
	if !b.Ran {
		if err := r.change(func(j *journal) { j.Reboot = b.touched() }); err != nil {
			return false, err
		}
		b = r.journal.Reboot
	}
	if b.Back != "" && b.Back != now {
		if err == nil {
			err = fmt.Errorf("the boot loader has booted slot %s, and not slot %s", running, b.Home)
		}
		return false, err // once is enough: a machine that boots again and again helps nobody
	}
	if err := r.restoreData(ctx, true); err != nil {
		return false, err
	}
	back := *b
	back.Back = now
	r.rebootDue = true
	return false, r.change(func(j *journal) { j.Reboot = &back })
}

// rebootFirst is the error of a verb that finds a way back which only a reboot can finish.
func (r *run) rebootFirst() error {
	return errorf("reboot", "reboot this machine (sallyport confirm --reboot does it): sallyport confirm finishes the rollback after the boot",
		"%s failed (%s); boot slot %s runs at the next boot, with %s", r.journal.Trial, r.journal.Attempt.Reason, r.journal.Reboot.Home, r.before())
}

// due is what a verb says of a reboot that has to come: on the way to a trial that is how it ends, on the way back an error,
// unless that is what the verb was to do.
func (r *run) due() error {
	if r.journal.Phase == RollingBack && r.verb != verbRollback {
		return r.rebootFirst()
	}
	return nil
}

// standDown gives up a release that is armed and was not booted yet: nothing that runs was touched.
func (r *run) standDown(ctx context.Context) error {
	r.say("note", "%s, which was to be booted, is given up for another release", r.journal.Trial)
	if err := r.loader.Disarm(ctx, r.journal.Trial.Boot); err != nil {
		return err
	}
	previous, err := r.emptySlot()
	if err != nil {
		return err
	}
	a := r.ended(resultInterrupted, "")
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return err
	}
	r.outcome, r.rebootDue = nil, false
	return r.change(func(j *journal) {
		j.Phase, j.Previous, j.Outgoing, j.Reboot = Idle, previous, nil, nil
		j.Trial, j.Attempt, j.LastAttempted, j.Attempts = nil, nil, &a, 0
	})
}
