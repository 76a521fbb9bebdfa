package systemdboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// Disarm gives the slot's entry a name that the loader passes over.
func (l *Loader) Disarm(ctx context.Context, n slot.Name) error {
	files, err := l.files(n)
	if err != nil {
		return err
	}
	if err := l.writable(); err != nil {
		return err
	}
	// What is passed over must leave a slot that is not.
	other, err := l.State(ctx, n.Other())
	if err := slot.NothingLeft(n, other, err); err != nil {
		return err
	}
	content, err := l.content(n, files)
	if err != nil {
		return err
	}
	// Written even where it is there: that is the proof that the place can be written.
	if err := l.Disk.WriteFile(l.path(files, badFile(l.Names.Of(n))), content, 0o644); err != nil {
		return &slot.UnreadyError{
			Text: "cannot write to the boot loader's entries", Advice: "see to it that the ESP has room and is mounted for writing", Err: err,
		}
	}
	return l.settle(n, badFile(l.Names.Of(n)), content)
}

// Arm makes the slot's entry the first, with all its tries.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (bool, error) {
	files, err := l.files(n)
	if err != nil {
		return false, err
	}
	running, err := l.armable(ctx, n)
	if err != nil {
		return false, err
	}
	content, err := l.content(n, files)
	if err != nil {
		return false, err
	}
	if content, err = ahead(content, running); err != nil {
		return false, err
	}
	boot := l.Names.Of(n)
	armed := trialFile(boot, l.Tries)
	// Passed over in between, so that the loader never counts one file onto the name of another.
	if !only(files, armed, content) && !only(files, badFile(boot), content) {
		if err := l.replace(n, files, badFile(boot), content); err != nil {
			return false, err
		}
	}
	if err := l.replace(n, files, armed, content); err != nil {
		return false, err
	}
	return true, l.wants(ctx, n, slot.State{Verdict: slot.Trial, Left: l.Tries, First: true})
}

// armable is the entry of the slot that runs, if it is one to fall back to.
func (l *Loader) armable(ctx context.Context, n slot.Name) (*entry, error) {
	if err := l.Ready(ctx); err != nil {
		return nil, err
	}
	t, err := readTree(l.roots())
	if err != nil {
		return nil, err
	}
	running, err := l.Running(ctx)
	if err != nil {
		return nil, err
	}
	e := l.find(t, running)
	if running == n || e == nil || e.left != uncounted {
		return nil, slot.NoWayBack(n, running, nil)
	}
	return e, nil
}

// Commit takes the counter from the running slot's entry.
func (l *Loader) Commit(ctx context.Context, n slot.Name) error {
	files, err := l.files(n)
	if err != nil {
		return err
	}
	running, err := l.Running(ctx)
	if err != nil {
		return err
	}
	if running != n {
		return fmt.Errorf("cannot commit slot %s: systemd-boot has booted slot %s", n, running)
	}
	if err := l.writable(); err != nil {
		return err
	}
	content, err := l.content(n, files)
	if err != nil {
		return err
	}
	good := goodFile(l.Names.Of(n))
	if b, err := readFile(l.path(files, good)); err == nil && bytes.Equal(b, content) {
		err = l.settle(n, good, content) // the entry that runs is not written again without need
		return errors.Join(err, l.wants(ctx, n, slot.State{Verdict: slot.Good, First: true}))
	}
	if err := l.replace(n, files, good, content); err != nil {
		return err
	}
	return l.wants(ctx, n, slot.State{Verdict: slot.Good, First: true})
}
