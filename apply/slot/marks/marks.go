// Package marks is a boot loader that is asked and told by a tool: five verbs about slots that are good or bad, one of them the
// primary. That is all that such a tool can say: it tells no trial from a good slot and no tries that are left, and whether a
// slot that is primary is booted once or for ever before somebody marks it good is between the tool and its loader.
//
// A tool is not believed: what it was told to do is read back, from all that it says about both slots.
package marks

import (
	"context"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// Tool speaks for a boot loader. Slots go by the loader's names.
type Tool interface {
	// Current is the slot that the machine was booted from.
	Current(ctx context.Context) (string, error)
	// Slots is all that the tool tells of what will be booted.
	Slots(ctx context.Context) (Slots, error)
	SetPrimary(ctx context.Context, name string) error
	SetState(ctx context.Context, name string, good bool) error
}

// Slots is what a tool tells of the slots, by the loader's names.
type Slots struct {
	Primary string // the slot that is booted next
	GoodA   bool   // whether slot A is good: a bad one is passed over
	GoodB   bool
}

// Loader is the loader behind a tool.
type Loader struct {
	tool  Tool
	who   string // the tool, as people know it
	names slot.BootNames
}

var _ slot.Loader = (*Loader)(nil)

// New makes the loader of a tool, which errors call by the name who.
func New(tool Tool, who string, names slot.BootNames) *Loader {
	return &Loader{tool: tool, who: who, names: names}
}

// Running is the slot that the tool says was booted.
func (l *Loader) Running(ctx context.Context) (slot.Name, error) {
	name, err := l.tool.Current(ctx)
	if err != nil {
		return slot.None, err
	}
	return l.slot(name, "runs")
}

// Ready wants every question answered.
func (l *Loader) Ready(ctx context.Context) error {
	if _, err := l.Running(ctx); err != nil {
		return l.unready("does not tell which slot runs", err)
	}
	if _, err := l.view(ctx); err != nil {
		return l.unready("does not tell how the slots are", err)
	}
	return nil
}

// State is what the tool says of the slot: good or bad.
func (l *Loader) State(ctx context.Context, n slot.Name) (slot.State, error) {
	if err := l.check(n); err != nil {
		return slot.State{}, err
	}
	v, err := l.view(ctx)
	if err != nil {
		return slot.State{}, err
	}
	s := slot.State{Verdict: slot.Bad, First: v.first() == n}
	if v.good[n] {
		s.Verdict = slot.Good
	}
	return s, nil
}

// Arm makes the slot good and primary. Until it is primary the slot that runs is booted.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (bool, error) {
	if err := l.Fit(ctx, n); err != nil {
		return false, err
	}
	v, err := l.view(ctx)
	if err != nil {
		return false, err
	}
	return true, l.change(ctx, v, view{primary: n, good: map[slot.Name]bool{n: true, n.Other(): true}}, n)
}

// Fit tells why a slot could not be armed now: the other one has to run, and to be good.
func (l *Loader) Fit(ctx context.Context, n slot.Name) error {
	if err := l.check(n); err != nil {
		return err
	}
	v, err := l.view(ctx)
	if err != nil {
		return err
	}
	running, err := l.Running(ctx)
	if err != nil {
		return err
	}
	if running == n || !v.good[running] {
		return &slot.UnreadyError{
			Text:   fmt.Sprintf("slot %s cannot be put on trial: slot %s runs, and would not be there to fall back to", n, running),
			Advice: "run sallyport confirm, which decides about the slot that runs; then try again",
		}
	}
	return nil
}

// Commit makes the running slot good and primary.
func (l *Loader) Commit(ctx context.Context, n slot.Name) error {
	if err := l.check(n); err != nil {
		return err
	}
	running, err := l.Running(ctx)
	if err != nil {
		return err
	}
	if running != n {
		return fmt.Errorf("cannot commit slot %s: slot %s runs", n, running)
	}
	v, err := l.view(ctx)
	if err != nil {
		return err
	}
	return l.change(ctx, v, view{primary: n, good: map[slot.Name]bool{n: true, n.Other(): v.good[n.Other()]}}, n)
}

// Disarm makes the slot bad, and the other one primary.
func (l *Loader) Disarm(ctx context.Context, n slot.Name) error {
	if err := l.check(n); err != nil {
		return err
	}
	v, err := l.view(ctx)
	if err != nil {
		return l.unready("does not tell how the slots are", err)
	}
	other := n.Other()
	if !v.good[other] {
		return &slot.UnreadyError{
			Text:   fmt.Sprintf("slot %s cannot be taken out of use: slot %s is bad, and nothing would be left to boot", n, other),
			Advice: "run sallyport confirm in the slot that works; then try again",
		}
	}
	return l.change(ctx, v, view{primary: other, good: map[slot.Name]bool{n: false, other: true}}, n)
}

// change tells the tool what slot n shall be and which slot shall be primary, in the order in which a loader that stops between
// the two still boots a good slot, and reads everything back.
func (l *Loader) change(ctx context.Context, before, want view, n slot.Name) error {
	err := l.tool.SetState(ctx, l.names.Of(n), want.good[n])
	if err == nil && want.primary != before.primary {
		err = l.tool.SetPrimary(ctx, l.names.Of(want.primary))
	}
	now, readErr := l.view(ctx)
	switch {
	case readErr != nil:
		return &Error{Text: l.who + " does not tell what became of slot " + n.String(), Err: first(err, readErr)}
	case err == nil && now.equal(want):
		return nil
	case now.equal(before):
		return l.unready(fmt.Sprintf("cannot change slot %s", n), err)
	}
	return &Error{Text: fmt.Sprintf("%s was told that %s, and says that %s", l.who, want, now), Err: err}
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// unready is an error before which nothing was written.
func (l *Loader) unready(text string, err error) error {
	return &slot.UnreadyError{Text: l.who + " " + text, Err: err,
		Advice: "try its verbs by hand: get-current, get-primary, get-state and set-state must do what they say, and the boot loader's state must be writable"}
}

func (l *Loader) check(n slot.Name) error {
	if l.names.Of(n) == "" {
		return fmt.Errorf("there is no slot %s", n)
	}
	return nil
}

// slot is the slot of a name that the tool told.
func (l *Loader) slot(name, what string) (slot.Name, error) {
	if n := l.names.Slot(name); n != slot.None {
		return n, nil
	}
	return slot.None, &Error{Text: fmt.Sprintf("%s says that slot %q %s; site.yaml knows %q and %q", l.who, name, what, l.names.A, l.names.B)}
}
