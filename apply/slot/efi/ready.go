package efi

import (
	"context"
	"fmt"
	"slices"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Ready wants the firmware's word that it has booted one of ours, and BootOrder and BootNext free for it.
func (l *Loader) Ready(ctx context.Context) error {
	if err := l.writable(); err != nil {
		return err
	}
	f, err := readFirmware(l.vars)
	if err != nil {
		return err
	}
	if _, err := l.readRecord(); err != nil {
		return err
	}
	for _, check := range []func(context.Context, *firmware) error{l.bootedByUs, l.inOrder, l.nextIsFree, l.partitions} {
		if err := check(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// writable wants efivarfs, mounted for writing.
func (l *Loader) writable() error {
	m, err := l.Host.MountOf(l.Vars)
	switch {
	case err != nil || m.Type != "efivarfs":
		return &slot.UnreadyError{
			Text:   "no EFI variables at " + l.Vars,
			Advice: "boot by UEFI, and mount efivarfs there: mount -t efivarfs efivarfs " + l.Vars, Err: err,
		}
	case m.ReadOnly:
		return &slot.UnreadyError{Text: l.Vars + " is mounted read-only", Advice: "mount it for writing: mount -o remount,rw " + l.Vars}
	}
	return nil
}

// bootedByUs wants BootCurrent to be an entry of ours, and the kernel that runs to be of that boot: after kexec it is not.
func (l *Loader) bootedByUs(_ context.Context, f *firmware) error {
	running := l.slot(f.number(f.current))
	if running == slot.None {
		what := "the firmware does not tell what it has booted (BootCurrent)"
		if f.current != nil {
			what = fmt.Sprintf("the firmware has booted %s, which is the entry of no slot", variable(*f.current))
		}
		return &slot.UnreadyError{
			Text:   what,
			Advice: "compare efibootmgr -v with the paths and partitions in site.yaml, spec.slots.efi; make an entry for the slot that runs and boot by it",
		}
	}
	token, found, err := l.Host.Param(host.SlotParam)
	switch {
	case err != nil:
		return err
	case !found:
		return &slot.UnreadyError{
			Text:   "the kernel's command line does not tell the slot",
			Advice: fmt.Sprintf("add %s=%s to the command line of the slot's image or entry, and the like for the other one; then boot again", host.SlotParam, l.Names.Of(running)),
		}
	case l.Names.Slot(token) != running:
		return &slot.UnreadyError{
			Text:   fmt.Sprintf("the kernel's command line tells slot %s, and the firmware has booted %s", token, l.Names.Of(running)),
			Advice: "after kexec or a soft reboot boot the machine anew; else correct " + host.SlotParam + " of the slots",
		}
	}
	return nil
}

// inOrder wants the entry that runs to be one that the firmware comes back to.
func (l *Loader) inOrder(_ context.Context, f *firmware) error {
	e := f.number(f.current)
	if slices.Contains(f.order, e.number) && e.active() {
		return nil
	}
	return &slot.UnreadyError{
		Text:   fmt.Sprintf("%s, by which this machine was booted, is not an active entry of BootOrder: the firmware would not come back to it", e.name()),
		Advice: fmt.Sprintf("put it there: efibootmgr -b %04X -a, then efibootmgr -o with all numbers", e.number),
	}
}

// nextIsFree wants nobody else to have something to be booted next, such as an update of the firmware.
func (l *Loader) nextIsFree(_ context.Context, f *firmware) error {
	if f.next == nil || l.slot(f.number(f.next)) != slot.None {
		return nil
	}
	return &slot.UnreadyError{
		Text:   fmt.Sprintf("%s is to be booted next, and is the entry of no slot", variable(*f.next)),
		Advice: "reboot first, or take that back: efibootmgr -N",
	}
}

// partitions wants the places of both slots to be there.
func (l *Loader) partitions(context.Context, *firmware) error {
	for _, n := range []slot.Name{slot.A, slot.B} {
		entry, err := l.entry(n)
		if err != nil {
			return err
		}
		if _, err := l.Host.Partition(entry.Partition.String()); err != nil {
			return &slot.UnreadyError{
				Text:   fmt.Sprintf("the partition of slot %s cannot be found", n),
				Advice: "compare spec.slots.efi in site.yaml with ls -l /dev/disk/by-partuuid", Err: err,
			}
		}
	}
	return nil
}
