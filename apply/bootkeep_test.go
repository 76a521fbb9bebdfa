package apply

import (
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// RAUC's script for GRUB marks a slot as tried each time that it boots it, a good one, too: the next power cycle would boot the other.
func TestConfirmKeepsTheSlotThatRuns(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	m := s.world.machine
	runs := m.running
	for _, c := range []struct{ before, after slot.State }{
		{slot.State{Verdict: slot.Trial}, slot.State{Verdict: slot.Good}},
		{slot.State{Verdict: slot.Good}, slot.State{Verdict: slot.Good}},
		// Somebody has marked it so.
		{slot.State{Verdict: slot.Bad}, slot.State{Verdict: slot.Bad}},
	} {
		m.states[runs] = c.before
		res, err := s.Confirm(t.Context())
		if err != nil || res.Result != ResultNothing || m.states[runs] != c.after {
			t.Errorf("%+v: %+v, %v; it is %+v now", c.before, res, err, m.states[runs])
		}
	}
	tried := slot.State{Verdict: slot.Trial}
	m.states[runs], m.running = tried, runs.Other()
	if res, err := s.Confirm(t.Context()); err != nil || res.Result != ResultNothing || m.states[runs] != tried {
		t.Errorf("another slot runs: %+v, %v; %+v", res, err, m.states)
	}
}
