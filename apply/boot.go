package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// On a site with a boot loader a release runs in one of the loader's slots, its boot slot, which has nothing to do with the
// slot of the store: a release without an operating system of its own stays where the site runs.

// reboot is what a transaction that changes the boot slot knows of the machine.
type reboot struct {
	// Home is the boot slot that ran when the trial was armed, and that runs again if it fails.
	Home slot.Name `json:"home"`
	// Since is the boot in which the trial was armed; empty until it is about to be. Armed tells that the loader was told.
	Since string `json:"since,omitempty"`
	Armed bool   `json:"armed,omitempty"`
	// Tries is how many tries the loader said the slot had then.
	Tries int `json:"tries,omitempty"`
	// Ran tells that the slot on trial ran, or may have run.
	Ran bool `json:"ran,omitempty"`
	// Backup is that of the data before the trial; Restore is that which the release on trial is to begin with.
	Backup  string `json:"backup,omitempty"`
	Restore string `json:"restore,omitempty"`
	// Back is the boot in which the way back to Home became due.
	Back string `json:"back,omitempty"`
}

// touched is b once the slot on trial may have worked on the site's data.
func (b *reboot) touched() *reboot {
	t := *b
	t.Ran = true
	return &t
}

func (b *reboot) check(trial *Release) error {
	switch {
	case b == nil:
		return nil
	case trial == nil:
		return errors.New("a reboot is due for no release")
	case b.Home != slot.A && b.Home != slot.B || trial.Boot != b.Home.Other():
		return fmt.Errorf("a reboot leads from boot slot %s to boot slot %s", b.Home, trial.Boot)
	}
	return nil
}

// openLoader makes the boot loader, once; nil of a site whose operating system is not ours.
func (r *run) openLoader() (err error) {
	if r.loader == nil && r.deps.Loader != nil {
		r.loader, err = r.deps.Loader()
	}
	return err
}

// booted is the boot slot that runs; None of a site without a boot loader.
func (r *run) booted(ctx context.Context) (slot.Name, error) {
	if err := r.openLoader(); err != nil || r.loader == nil {
		return slot.None, err
	}
	n, err := r.loader.Running(ctx)
	if err == nil && n == slot.None {
		err = errorf("boot", "see docs/bootloaders.md, and boot the machine by its boot loader again", "nothing tells which boot slot runs")
	}
	return n, err
}

// bootFor says in which boot slot the release is to run. What it says of a release with an operating system holds only if that
// fits the slot, which is looked at, too; nothing is changed.
func (r *run) bootFor(ctx context.Context, d *bundle.Descriptor) (slot.Name, error) {
	if d.OS != nil && r.deps.Loader == nil {
		return slot.None, errorf("os", "ask for a release without an operating system, or describe this site's slots in site.yaml",
			"%s %s brings an operating system, and spec.slots.backend of this site is %s", d.Name, d.Version, backendNone)
	}
	home, err := r.booted(ctx)
	if d.OS == nil {
		if err != nil && ctx.Err() == nil {
			r.say("note", "nothing tells which boot slot runs, which this release leaves as it is: %s", err)
			return slot.None, nil
		}
		return home, err
	}
	if err == nil {
		err = r.stateApart()
	}
	if err != nil {
		return slot.None, err
	}
	same, err := r.runsOS(ctx, d.OS, home)
	if err != nil || same {
		return home, err
	}
	if err := r.readyToArm(ctx, home); err != nil {
		return slot.None, err
	}
	return home.Other(), r.partsFit(ctx, d, home.Other())
}

// runsOS tells whether the very bytes of an operating system are those of the boot slot that runs. They are read, for a root
// file system may have been written to since; unless the current release brought others, which needs no reading.
func (r *run) runsOS(ctx context.Context, want *bundle.OS, home slot.Name) (bool, error) {
	c := r.journal.Current
	if c == nil && r.verb == verbRecover {
		return r.partsHold(ctx, want, home) // nothing else tells any more
	}
	if c == nil || c.Boot != home {
		return false, nil
	}
	rel, err := r.loadSlot(*c)
	if err != nil {
		return false, nil //nolint:nilerr // what cannot be compared is written anew
	}
	if have := rel.descriptor.OS; have != nil && !sameParts(have, want) {
		return false, nil
	}
	return r.partsHold(ctx, want, home)
}

func sameParts(a, b *bundle.OS) bool {
	if len(a.Parts) != len(b.Parts) {
		return false
	}
	for i, p := range a.Parts {
		if p != b.Parts[i] {
			return false
		}
	}
	return true
}

// readyToArm finds out, without changing anything, whether the loader would boot the other slot and fall back to home.
func (r *run) readyToArm(ctx context.Context, home slot.Name) error {
	if err := r.loader.Ready(ctx); err != nil {
		return err
	}
	state, err := r.loader.State(ctx, home)
	if err != nil {
		return err
	}
	if state.Verdict != slot.Good {
		return errorf("boot", "finish what is under way: sallyport confirm; see docs/bootloaders.md for how to mark a slot good by hand",
			"boot slot %s, which runs, is %s for the boot loader: there would be nothing to fall back to", home, state.Verdict)
	}
	return nil
}

// spoil gives up what the boot slot of the staged release holds, before the first write to it: the loader will pass over it, and no
// release can be rolled back to that ran there.
func (r *run) spoil(ctx context.Context) error {
	target := r.journal.Staged.Boot
	home, err := r.booted(ctx)
	if err != nil {
		return err
	}
	if home != target.Other() {
		return errorf("boot", "run the same command again", "boot slot %s runs, and not slot %s any more", home, target.Other())
	}
	if err := r.loader.Disarm(ctx, target); err != nil {
		return err
	}
	return r.change(func(j *journal) { j.Spoiled = target })
}

// dropSpoiled forgets the releases whose boot slot holds something else now.
func (j *journal) dropSpoiled() {
	for _, p := range []**Release{&j.Previous, &j.Outgoing} {
		if *p != nil && (*p).Boot != slot.None && (*p).Boot == j.Spoiled {
			*p = nil
		}
	}
}

// planReboot says how the release that is about to be on trial comes to run: nil if that takes no reboot. It changes nothing.
func (r *run) planReboot(ctx context.Context, which Release) (*reboot, error) {
	if which.Boot == slot.None {
		return nil, nil
	}
	home, err := r.booted(ctx)
	if err != nil {
		return nil, err
	}
	back := r.verb == verbRollback
	written := which.Boot == r.journal.Spoiled // for this release, and for no other
	switch {
	case !written && which.Boot == home:
		return nil, nil
	case written == back || which.Boot != home.Other():
		return nil, errorf("boot", "stage its bundle again", "%s is for boot slot %s, and boot slot %s runs now", which, which.Boot, home)
	}
	if err := r.readyToArm(ctx, home); err != nil {
		return nil, err
	}
	if written {
		if err := r.partsStand(ctx, which); err != nil {
			return nil, err
		}
	}
	return &reboot{Home: home}, nil
}

// partsStand reads back what was written for a staged release, unless this very run has done so.
func (r *run) partsStand(ctx context.Context, which Release) error {
	if r.bundle != nil {
		return nil
	}
	rel, err := r.loadSlot(which)
	if err != nil {
		return err
	}
	holds, err := r.partsHold(ctx, rel.descriptor.OS, which.Boot)
	if err == nil && !holds {
		err = errorf("part", "stage its bundle again", "boot slot %s does not hold any more what was written there for %s", which.Boot, which)
	}
	return err
}
