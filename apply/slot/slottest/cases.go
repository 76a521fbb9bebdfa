package slottest

import (
	"errors"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

type testCase struct {
	name string
	run  func(s *bench) error
}

const (
	a = slot.A
	b = slot.B
)

var cases = []testCase{
	{"starts with A", func(s *bench) error {
		return steps(s.good(a, true), s.ready, s.boots(a, a, a), s.good(a, true), s.ready)
	}},
	{"a trial nobody commits", uncommitted},
	{"a trial that is committed", func(s *bench) error {
		return steps(s.disarm(b), s.arm(b), s.boots(b), s.commit(b), s.good(b, true), s.good(a, false),
			s.boots(times(2*s.Tries+2, b)...), s.good(b, true), s.good(a, false), s.commit(b), s.good(b, true))
	}},
	{"and back again", func(s *bench) error {
		return steps(s.disarm(b), s.arm(b), s.boots(b), s.commit(b),
			s.disarm(a), s.bad(a), s.good(b, true), s.boots(b), s.arm(a), s.trial(a, s.Tries), s.good(b, false), s.boots(a), s.commit(a),
			s.good(a, true), s.good(b, false), s.boots(times(s.Tries+2, a)...))
	}},
	{"a commit in the last try", func(s *bench) error {
		return steps(s.disarm(b), s.arm(b), s.boots(times(s.Tries, b)...), s.commit(b), s.boots(times(s.Tries+1, b)...), s.good(b, true))
	}},
	{"disarmed before the reboot", func(s *bench) error {
		return steps(s.disarm(b), s.bad(b), s.good(a, true), s.arm(b), s.disarm(b), s.bad(b), s.good(a, true), s.disarm(b), s.boots(a, a), s.bad(b))
	}},
	// A second update before the reboot writes to the same slot: it is passed over while that lasts, and has all its tries then.
	{"a second update before the reboot", func(s *bench) error {
		return steps(s.disarm(b), s.arm(b), s.disarm(b), s.boots(a), s.bad(b), s.arm(b), s.trial(b, s.Tries), s.boots(times(s.Tries, b)...), s.boots(a))
	}},
	{"armed again gives back the tries", func(s *bench) error {
		return steps(s.disarm(b), s.arm(b), s.arm(b), s.trial(b, s.Tries), s.boots(times(s.Tries, b)...), s.boots(a),
			s.arm(b), s.trial(b, s.Tries), s.boots(times(s.Tries, b)...), s.boots(a, a))
	}},
	{"a failed trial is disarmed while it runs", func(s *bench) error {
		return steps(s.disarm(b), s.arm(b), s.boots(b), s.disarm(b), s.bad(b), s.good(a, true), s.boots(a, a), s.bad(b), s.good(a, true))
	}},
	{"the slot that runs is not good", runningNotGood},
	{"the only good slot is kept", func(s *bench) error {
		return steps(s.disarm(b), s.refused("disarm A, the only good slot", s.disarm(a)), s.boots(a),
			s.arm(b), s.boots(b), s.refusedUnlessCoarse("disarm A while B is on trial", s.disarm(a)))
	}},
	{"no slot and other slots", func(s *bench) error {
		return steps(
			s.refused("arm none", s.arm(slot.None)), s.refused("arm x", s.arm("x")),
			s.refused("commit none", s.commit(slot.None)), s.refused("commit what does not run", s.commit(b)),
			s.refused("disarm none", s.disarm(slot.None)), s.boots(a))
	}},
	{"a place that cannot be written", unwritable},
	{"a loader that cannot save", unsaved},
	{"booted by something else", func(s *bench) error {
		if s.Stranger == nil {
			return nil
		}
		s.Stranger(s.t)
		return s.unready("ready", s.ready)()
	}},
}

// refusedUnlessCoarse does without the step where the loader cannot know better.
func (s *bench) refusedUnlessCoarse(what string, step func() error) func() error {
	if s.Coarse {
		return func() error { return nil }
	}
	return s.refused(what, step)
}

func (s *bench) ready() error { return s.Loader.Ready(s.ctx) }

// uncommitted counts a trial down and wants the good slot back.
func uncommitted(s *bench) error {
	err := steps(s.disarm(b), s.bad(b), s.arm(b), s.trial(b, s.Tries), s.good(a, false), s.ready)
	if err != nil {
		return err
	}
	for left := s.Tries - 1; left >= 0; left-- {
		if err := steps(s.boots(b), s.trial(b, left), s.good(a, left == 0)); err != nil {
			return err
		}
	}
	return steps(s.boots(a), s.trial(b, 0), s.good(a, true), s.boots(a, a), s.trial(b, 0), s.ready)
}

// runningNotGood wants a second trial to be refused while one runs: there would be no good slot to fall back to.
func runningNotGood(s *bench) error {
	err := steps(s.disarm(b), s.arm(b), s.boots(b))
	if err != nil || s.Coarse {
		return err
	}
	return steps(s.refused("arm A while B is on trial", s.arm(a)), s.refused("arm B while it is on trial", s.arm(b)))
}

// unwritable breaks the place of the state before each method that writes.
func unwritable(s *bench) error {
	broken := func(step func() error) func() error {
		return func() error {
			s.Break(s.t)
			defer s.Mend(s.t)
			return step()
		}
	}
	return steps(
		broken(s.unready("disarm, the place cannot be written", s.disarm(b))), s.boots(a), s.disarm(b),
		broken(s.unready("disarm again, the place cannot be written", s.disarm(b))),
		broken(s.refused("arm, the place cannot be written", s.arm(b))), s.boots(a), s.arm(b), s.boots(b),
		broken(s.refused("commit, the place cannot be written", s.commit(b))), s.commit(b), s.boots(b))
}

// unsaved wants a loader that cannot store a used-up try to boot the good slot, again and again.
func unsaved(s *bench) error {
	if s.Unsaved == nil {
		return nil
	}
	if err := steps(s.disarm(b), s.arm(b)); err != nil {
		return err
	}
	s.Unsaved(s.t)
	if err := steps(s.boots(times(s.Tries+2, a)...), s.trial(b, s.Tries)); err != nil {
		return errors.Join(errors.New("the loader cannot save"), err)
	}
	return nil
}
