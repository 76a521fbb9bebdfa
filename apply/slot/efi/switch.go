package efi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Disarm makes the firmware pass over the slot's entry, and makes one where there is none: what Arm has to write has room then.
func (l *Loader) Disarm(ctx context.Context, n slot.Name) error {
	entry, err := l.entry(n)
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
	if err := l.disarm(n, entry); err != nil {
		return &slot.UnreadyError{
			Text:   "the firmware's variables cannot be written",
			Advice: "see whether efivarfs is mounted for writing and the firmware's memory has room: efibootmgr -v, and a reboot lets much firmware tidy up",
			Err:    err,
		}
	}
	return nil
}

func (l *Loader) disarm(n slot.Name, entry Entry) error {
	if err := l.note(map[slot.Name]slot.Verdict{n: slot.Bad}); err != nil {
		return err
	}
	f, err := readFirmware(l.vars)
	if err != nil {
		return err
	}
	if l.slot(f.number(f.next)) == n {
		if err := l.vars.Remove(bootNext, efivar.Global); err != nil {
			return err
		}
	}
	for _, e := range f.of(entry.File) {
		if !e.active() {
			continue
		}
		e.option.Attributes &^= efivar.Active
		if err := l.put(e); err != nil {
			return err
		}
	}
	_, err = l.made(n, entry)
	return err
}

// put writes a boot entry.
func (l *Loader) put(e *bootEntry) error {
	return l.vars.Write(e.name(), efivar.Global, efivar.Variable{Attributes: e.attributes, Data: e.option.Append(nil)})
}

// made is the slot's entry, made if need be, in BootOrder, where nothing but the firmware itself gives its number away. A new one
// is not active.
func (l *Loader) made(n slot.Name, entry Entry) (*bootEntry, error) {
	f, err := readFirmware(l.vars)
	if err != nil {
		return nil, err
	}
	var e *bootEntry
	if found := f.of(entry.File); len(found) > 0 {
		e = found[0]
	} else if e, err = l.create(f, n, entry); err != nil {
		return nil, err
	}
	if slices.Contains(f.order, e.number) {
		return e, nil
	}
	return e, l.setOrder(f, append(f.order, e.number))
}

func (l *Loader) create(f *firmware, n slot.Name, entry Entry) (*bootEntry, error) {
	p, err := l.Host.Partition(entry.Partition.String())
	if err != nil {
		return nil, err
	}
	number, err := f.free()
	if err != nil {
		return nil, err
	}
	e := &bootEntry{number: number, attributes: efivar.Stored, file: entry.File, option: efivar.LoadOption{
		Description: l.Names.Of(n),
		Paths:       entry.DevicePath(efivar.Place{Number: p.Number, Start: p.Start, Size: p.Size}),
	}}
	if entry.Options != "" {
		e.option.Optional = efivar.OfText(entry.Options)
	}
	return e, l.put(e)
}

func (l *Loader) setOrder(f *firmware, order []uint16) error {
	if slices.Equal(order, f.order) {
		return nil
	}
	return l.vars.Write(bootOrder, efivar.Global, efivar.Variable{Attributes: f.orderAttributes, Data: numbers(order...)})
}

// Arm puts the slot's entry into BootNext.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (bool, error) {
	entry, err := l.entry(n)
	if err != nil {
		return false, err
	}
	if err := l.Ready(ctx); err != nil {
		return false, err
	}
	running, err := l.Running(ctx)
	if err != nil {
		return false, err
	}
	if s, err := l.State(ctx, running); running == n || err != nil || s.Verdict != slot.Good {
		return false, slot.NoWayBack(n, running, err)
	}
	// From here on the slot is on trial, even if it should become the first for a moment.
	if err := l.note(map[slot.Name]slot.Verdict{n: slot.Trial, running: slot.Good}); err != nil {
		return false, err
	}
	if err := l.prepare(n, running, entry); err != nil {
		return false, err
	}
	return true, l.setNext(ctx, n, entry)
}

// prepare makes the slot's entry one that the firmware takes, behind that of the slot that runs.
func (l *Loader) prepare(n, running slot.Name, entry Entry) error {
	e, err := l.made(n, entry)
	if err != nil {
		return err
	}
	f, err := readFirmware(l.vars)
	if err != nil {
		return err
	}
	if err := l.setOrder(f, l.withFirst(f, running)); err != nil {
		return err
	}
	was := string(e.option.Append(nil))
	e.option.Attributes |= efivar.Active
	if entry.Options != "" {
		e.option.Optional = efivar.OfText(entry.Options + trialMark)
	}
	if string(e.option.Append(nil)) == was {
		return nil
	}
	return l.put(e)
}

// setNext writes BootNext, after a last look at what stands under that number.
func (l *Loader) setNext(ctx context.Context, n slot.Name, entry Entry) error {
	f, err := readFirmware(l.vars)
	if err != nil {
		return err
	}
	found := f.of(entry.File)
	if len(found) == 0 || !found[0].active() {
		return fmt.Errorf("the boot entry of slot %s is gone again, or no longer active", n)
	}
	next := efivar.Variable{Attributes: efivar.Stored, Data: numbers(found[0].number)}
	if err := l.vars.Write(bootNext, efivar.Global, next); err != nil {
		return err
	}
	return l.wants(ctx, n, slot.State{Verdict: slot.Trial, Left: Tries, First: true})
}

// Commit makes the running slot's entry the first of ours in BootOrder, and no longer a trial's.
func (l *Loader) Commit(ctx context.Context, n slot.Name) error {
	entry, err := l.entry(n)
	if err != nil {
		return err
	}
	f, err := readFirmware(l.vars)
	if err != nil {
		return err
	}
	if running := l.slot(f.number(f.current)); running != n {
		return fmt.Errorf("cannot commit slot %s: the firmware has booted slot %s", n, running)
	}
	if err := l.writable(); err != nil {
		return err
	}
	if err := l.unmark(f, entry); err != nil {
		return err
	}
	if err := l.setOrder(f, l.withFirst(f, n)); err != nil {
		return err
	}
	if l.slot(f.number(f.next)) != slot.None {
		if err := l.vars.Remove(bootNext, efivar.Global); err != nil {
			return err
		}
	}
	if r, err := l.readRecord(); err != nil || *r.of(n) != slot.Good {
		if err := errors.Join(err, l.note(map[slot.Name]slot.Verdict{n: slot.Good})); err != nil {
			return err
		}
	}
	return l.wants(ctx, n, slot.State{Verdict: slot.Good, First: true})
}

// trialMark ends the command line of an entry whose slot is on trial, if site.yaml names that line: an image that has one of its own
// may forget it over the first word that it is handed.
const trialMark = " " + host.TrialParam

// unmark makes the slot's entries those of a slot that is not on trial: a good one that cannot read its state must not be booted
// again and again.
func (l *Loader) unmark(f *firmware, entry Entry) error {
	for _, e := range f.of(entry.File) {
		text, err := efivar.ParseText(e.option.Optional)
		text, marked := strings.CutSuffix(text, trialMark)
		if err != nil || !marked {
			continue
		}
		e.option.Optional = efivar.OfText(text)
		if err := l.put(e); err != nil {
			return err
		}
	}
	return nil
}

// withFirst is BootOrder with a slot's entries before those of the other one, in the places that ours have.
func (l *Loader) withFirst(f *firmware, n slot.Name) []uint16 {
	var front, back []uint16
	for i, number := range f.order {
		switch l.slot(f.number(&f.order[i])) {
		case n:
			front = append(front, number)
		case n.Other():
			back = append(back, number)
		}
	}
	ours := slices.Concat(front, back)
	order := slices.Clone(f.order)
	for i, number := range order {
		if l.slot(f.number(&number)) != slot.None {
			order[i], ours = ours[0], ours[1:]
		}
	}
	return order
}

// wants reads back what the firmware will do.
func (l *Loader) wants(ctx context.Context, n slot.Name, want slot.State) error {
	got, err := l.State(ctx, n)
	if err == nil && got != want {
		err = &slot.UnreadyError{
			Text:   fmt.Sprintf("the firmware was told of slot %s and would still take it for %s with %d tries, first: %v", n, got.Verdict, got.Left, got.First),
			Advice: "look at efibootmgr -v, and at whether the firmware keeps what it is told",
		}
	}
	return err
}
