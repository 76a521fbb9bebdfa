package slottest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// move is one call of a loader, in a situation in which it comes.
type move struct {
	name string
	// situation brings the rig there, and call is what is broken off.
	situation func(s *bench) error
	call      func(s *bench) func() error
	sample    bool // what is looked at of slow loaders, too
}

var moves = []move{
	{"disarm before the first write", func(*bench) error { return nil }, func(s *bench) func() error { return s.disarm(b) }, false},
	{"arm", func(s *bench) error { return steps(s.disarm(b)) }, func(s *bench) func() error { return s.arm(b) }, false},
	{"arm again", func(s *bench) error { return steps(s.disarm(b), s.arm(b)) }, func(s *bench) func() error { return s.arm(b) }, false},
	{"disarm what is armed", func(s *bench) error { return steps(s.disarm(b), s.arm(b)) }, func(s *bench) func() error { return s.disarm(b) }, false},
	{"commit", onTrial, func(s *bench) func() error { return s.commit(b) }, true},
	{"disarm what runs", onTrial, func(s *bench) func() error { return s.disarm(b) }, false},
	{"disarm what fell back", fellBack, func(s *bench) func() error { return s.disarm(b) }, false},
	{"arm what fell back", fellBack, func(s *bench) func() error { return s.arm(b) }, false},
	{"disarm the first slot", committed, func(s *bench) func() error { return s.disarm(a) }, false},
	{"arm the first slot", committed, func(s *bench) func() error { return s.arm(a) }, false},
	{"commit the first slot", func(s *bench) error { return steps(func() error { return committed(s) }, s.arm(a), s.boots(a)) },
		func(s *bench) func() error { return s.commit(a) }, false},
}

func onTrial(s *bench) error { return steps(s.disarm(b), s.arm(b), s.boots(b)) }

func fellBack(s *bench) error {
	return steps(s.disarm(b), s.arm(b), s.boots(times(s.Tries, b)...), s.boots(a))
}

func committed(s *bench) error {
	return steps(func() error { return onTrial(s) }, s.commit(b), s.boots(b))
}

// outcome is what a move does when nothing breaks it off.
type outcome struct{ before, after [2]slot.State }

// first is the slot that the loader boots next.
func first(states [2]slot.State) slot.Name {
	switch {
	case states[0].First == states[1].First:
		return slot.None
	case states[0].First:
		return a
	}
	return b
}

// cutMove breaks a move off at each operation in each way, and returns in how many.
func cutMove(t *testing.T, open Opener, m move) (n int, err error) {
	s, err := m.at(t, open)
	if err != nil {
		return 0, err
	}
	var want outcome
	if want.before, err = s.both(); err != nil {
		return 0, err
	}
	if err := m.call(s)(); err != nil {
		return 0, err
	}
	if want.after, err = s.both(); err != nil {
		return 0, err
	}
	for next := range faults(s.gate.wrote) {
		for at := 0; ; at++ {
			f := next(at)
			s, err := m.at(t, open)
			if err != nil {
				return n, err
			}
			fell, err := s.broken(m, f, want)
			if err != nil {
				return n, fmt.Errorf("%s: %w", f, err)
			}
			if torn, ok := f.(*Tear); ok && torn.spent {
				continue
			}
			if !fell {
				break
			}
			n++
		}
	}
	return n, nil
}

func (m move) at(t *testing.T, open Opener) (*bench, error) {
	s := newBench(t, open)
	if err := m.situation(s); err != nil {
		return nil, fmt.Errorf("before the fault: %w", err)
	}
	return s, nil
}

// faults are the ways of breaking off, each as a maker of the fault at an operation. Only writes of bytes can be torn.
func faults(tears bool) func(yield func(func(at int) Fault) bool) {
	return func(yield func(func(at int) Fault) bool) {
		for _, mode := range durabletest.Modes {
			if !yield(func(at int) Fault { return &durabletest.Faults{At: at, Mode: mode} }) {
				return
			}
		}
		for _, sectors := range []int{1, 2, 5, 13} {
			if !tears || !yield(func(at int) Fault { return &Tear{At: at, Sectors: sectors} }) {
				return
			}
		}
	}
}

// broken makes the call with the fault and looks at what is left. It tells whether the fault fell.
func (s *bench) broken(m move, f Fault, want outcome) (bool, error) {
	s.gate.fault = f
	err := m.call(s)()
	s.gate.fault = nil
	if !f.Fell() {
		if err == nil {
			err = s.flushed(f, want)
		}
		return false, err
	}
	now, stateErr := s.both()
	if stateErr != nil {
		return true, fmt.Errorf("after the fault (%w): %w", err, stateErr)
	}
	if err == nil && now != want.after {
		return true, fmt.Errorf("success is told, and the slots are %+v, want %+v", now, want.after)
	}
	if text := s.Foreign(s.t); text != s.foreign {
		return true, fmt.Errorf("what is not ours was\n%s\nand is\n%s", s.foreign, text)
	}
	if alive(f) {
		if err := s.again(m, want); err != nil {
			return true, err
		}
		return true, s.startable(want.after, want.after)
	}
	return true, s.startable(want.before, want.after)
}

// flushed cuts the power after a call that has told success: what it did must last.
func (s *bench) flushed(f Fault, want outcome) error {
	_ = f.Disk().Intercept(durable.Op{Kind: "end"}, func() error { return nil })
	now, err := s.both()
	if err == nil && now != want.after {
		err = fmt.Errorf("success is told, and after a power cut the slots are %+v, want %+v", now, want.after)
	}
	return err
}

// alive tells whether the machine still runs after the fault.
func alive(f Fault) bool {
	faults, ok := f.(*durabletest.Faults)
	return ok && !faults.Crashed()
}

// again makes the call a second time, as the transaction does when it resumes.
func (s *bench) again(m move, want outcome) error {
	if err := m.call(s)(); err != nil {
		return fmt.Errorf("the second time: %w", err)
	}
	now, err := s.both()
	if err == nil && now != want.after {
		err = fmt.Errorf("the slots are %+v, want %+v", now, want.after)
	}
	if err != nil {
		return fmt.Errorf("the second time: %w", err)
	}
	return nil
}

// startable wants the machine to boot what it would have booted before the call or after it, and to come to a good slot.
func (s *bench) startable(before, after [2]slot.State) error {
	got := s.Boot(s.t)
	if got == slot.None || got != first(before) && got != first(after) {
		return fmt.Errorf("the machine boots slot %s; before the call that was %s, after it %s", got, first(before), first(after))
	}
	for range s.Tries + 1 {
		if got = s.Boot(s.t); got == slot.None {
			return errors.New("the machine boots nothing any more")
		}
	}
	state, err := s.Loader.State(s.ctx, got)
	switch i := slices.Index([]slot.Name{a, b}, got); {
	case err != nil:
		return err
	case state != slot.State{Verdict: slot.Good, First: true}:
		return fmt.Errorf("the machine comes to rest in slot %s, which is %+v", got, state)
	case !s.Coarse && before[i].Verdict != slot.Good && after[i].Verdict != slot.Good:
		return fmt.Errorf("the machine comes to rest in slot %s, which nobody committed", got)
	}
	return nil
}
