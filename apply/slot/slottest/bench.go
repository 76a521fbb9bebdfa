package slottest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// bench is a rig at work. Its methods return what is wrong, so that the tests of this package can see them do so.
type bench struct {
	*Rig
	t       *testing.T
	ctx     context.Context
	gate    *gate
	foreign string
}

func newBench(t *testing.T, open Opener) *bench {
	t.Helper()
	g := &gate{}
	s := &bench{Rig: open(t, g.disk()), t: t, ctx: t.Context(), gate: g}
	s.foreign = s.Foreign(t)
	return s
}

// steps runs one after the other until something is wrong.
func steps(all ...func() error) error {
	for i, step := range all {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (s *bench) arm(n slot.Name) func() error {
	return func() error {
		reboot, err := s.Loader.Arm(s.ctx, n)
		if err == nil && !reboot {
			err = errors.New("no reboot is said to be due")
		}
		return s.after("arm "+n.String(), err)
	}
}

func (s *bench) commit(n slot.Name) func() error {
	return func() error { return s.after("commit "+n.String(), s.Loader.Commit(s.ctx, n)) }
}

func (s *bench) disarm(n slot.Name) func() error {
	return func() error { return s.after("disarm "+n.String(), s.Loader.Disarm(s.ctx, n)) }
}

// after looks whether a method has left alone what is not ours.
func (s *bench) after(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if now := s.Foreign(s.t); now != s.foreign {
		return fmt.Errorf("%s: what is not ours was\n%s\nand is\n%s", what, s.foreign, now)
	}
	return nil
}

// boots starts the machine as often as there are names, and wants those slots to run.
func (s *bench) boots(want ...slot.Name) func() error {
	return func() error {
		for i, n := range want {
			got := s.Boot(s.t)
			if got != n {
				return fmt.Errorf("boot %d runs slot %s, want %s", i+1, got, n)
			}
			said, err := s.Loader.Running(s.ctx)
			if err != nil {
				return fmt.Errorf("slot %s runs, and nothing tells: %w", got, err)
			}
			if said != got {
				return fmt.Errorf("slot %s runs, and the loader is said to have booted %s", got, said)
			}
		}
		return nil
	}
}

// times is a slot n times.
func times(n int, name slot.Name) []slot.Name {
	all := make([]slot.Name, n)
	for i := range all {
		all[i] = name
	}
	return all
}

// good wants a slot that is booted as often as is needed.
func (s *bench) good(n slot.Name, first bool) func() error {
	return s.state(n, slot.State{Verdict: slot.Good, First: first})
}

// trial wants a slot that has so many tries left; of one without, some loaders know no more than that it is bad.
func (s *bench) trial(n slot.Name, left int) func() error {
	want := slot.State{Verdict: slot.Trial, Left: left, First: left > 0}
	if left > 0 && s.Coarse {
		want = slot.State{Verdict: slot.Good, First: true}
	}
	if left > 0 {
		return s.state(n, want)
	}
	return func() error {
		if s.bad(n)() == nil {
			return nil
		}
		return s.state(n, want)()
	}
}

func (s *bench) bad(n slot.Name) func() error { return s.state(n, slot.State{Verdict: slot.Bad}) }

func (s *bench) state(n slot.Name, want slot.State) func() error {
	return func() error {
		got, err := s.Loader.State(s.ctx, n)
		if err != nil {
			return fmt.Errorf("state of slot %s: %w", n, err)
		}
		if got != want {
			return fmt.Errorf("slot %s is %+v, want %+v", n, got, want)
		}
		return nil
	}
}

// both are the states of the slots.
func (s *bench) both() (states [2]slot.State, err error) {
	for i, n := range []slot.Name{slot.A, slot.B} {
		if states[i], err = s.Loader.State(s.ctx, n); err != nil {
			return states, fmt.Errorf("state of slot %s: %w", n, err)
		}
	}
	return states, nil
}

// refused wants a step to fail and to change nothing.
func (s *bench) refused(what string, step func() error) func() error {
	return func() error {
		_, err := s.refusal(what, step)
		return err
	}
}

func (s *bench) refusal(what string, step func() error) (refusal, err error) {
	before, err := s.both()
	if err != nil {
		return nil, err
	}
	if refusal = step(); refusal == nil {
		return nil, fmt.Errorf("%s: is not refused", what)
	}
	now, err := s.both()
	if err != nil {
		return refusal, err
	}
	if now != before {
		return refusal, fmt.Errorf("%s: is refused (%w), and the slots are %+v that were %+v", what, refusal, now, before)
	}
	return refusal, s.after(what, nil)
}

// unready wants a step to be refused because the loader cannot be relied on, and to change nothing.
func (s *bench) unready(what string, step func() error) func() error {
	return func() error {
		refusal, err := s.refusal(what, step)
		if err != nil {
			return err
		}
		var typed *slot.UnreadyError
		if !errors.As(refusal, &typed) {
			return fmt.Errorf("%s: %w, which is no *slot.UnreadyError", what, refusal)
		}
		if typed.Text == "" || typed.Advice == "" {
			return fmt.Errorf("%s: the error lacks what is wrong (%q) or what to do (%q)", what, typed.Text, typed.Advice)
		}
		return nil
	}
}
