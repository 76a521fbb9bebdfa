package apply

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// TestPartsUnderEveryFault breaks an update of an operating system off at every operation until it is armed: of the disk, the devices
// and the loader. However that ends,
//
//   - what runs is not written, and the loader boots it;
//   - the loader never holds a slot for good that has something else than a whole release;
//   - what is armed has been written whole;
//   - the same command brings the update.
func TestPartsUnderEveryFault(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 5
	}
	base := newOSSite(t, asDevices)
	next := strings.ReplaceAll(base.old, "stays", "STAYS")[:1<<20+5000]
	two := base.f.seal(t, base.f.osRelease(t, "2.0.0", 2, next))
	for _, mode := range durabletest.Modes {
		at := 0
		for ; ; at += step {
			s, faults := base.copied(t), &durabletest.Faults{At: at, Mode: mode}
			s.disturb(faults)
			_, err := s.apply(two)
			if !faults.Fell() {
				if err != nil {
					t.Fatalf("%s: no fault fell at %d, yet: %v", mode, at, err)
				}
				break
			}
			if text := s.halfWay(next); text != "" {
				t.Fatalf("%s: %s (the error was %v)", faults, text, err)
			}
			s.disturb(neverFails())
			res, err := s.apply(two)
			if err != nil || res.Result != ResultArmed {
				t.Fatalf("%s: the next try: %+v, %v", faults, res, err)
			}
			s.world.machine.boot(t)
			if s.world.machine.running != slot.A || !strings.HasPrefix(s.holds(slot.A), next) {
				t.Fatalf("%s: boot slot %s runs, and is not the new release", faults, s.world.machine.running)
			}
			if res, err := s.Confirm(context.Background()); err != nil || res.Result != ResultCommitted {
				t.Fatalf("%s: confirm: %+v, %v", faults, res, err)
			}
		}
		if at < 20 {
			t.Errorf("%s: only %d operations were broken off", mode, at)
		}
	}
}

// copied is the site on a machine of its own.
func (s *osSite) copied(t *testing.T) *osSite {
	t.Helper()
	w := s.world.clone()
	w.machine = s.world.machine.clone()
	c := &osSite{testSite: siteAt(t, copyDir(t, s.cfg.Spec.State), s.f, w), f: s.f, one: s.one, old: s.old}
	asDevices(c.testSite)
	for _, n := range []slot.Name{slot.A, slot.B} {
		c.put(n, s.holds(n))
	}
	return c
}

// disturb lets the faults fall on everything that the site writes from now on.
func (s *testSite) disturb(f *durabletest.Faults) {
	s.world.faults, s.world.machine.faults, s.deps.Disk = f, f, f.Disk()
}

// halfWay says what is wrong with a site whose update from slot B to slot A was broken off.
func (s *osSite) halfWay(next string) string {
	m := s.world.machine
	switch a, b := m.states[slot.A], m.states[slot.B]; {
	case !strings.HasPrefix(s.holds(slot.B), s.old):
		return "the slot that runs was written"
	case b.Verdict != slot.Good:
		return fmt.Sprintf("the slot that runs is %s for the loader", b.Verdict)
	case a.Verdict == slot.Good && !strings.HasPrefix(s.holds(slot.A), "whatever came with the machine"):
		return "the loader holds for good what is half written"
	case a.Verdict == slot.Trial && !strings.HasPrefix(s.holds(slot.A), next):
		return "the loader would try what is half written"
	case m.first == slot.A && a.Verdict != slot.Trial:
		return "the loader would boot what it was not told to try"
	}
	if _, err := loadJournal(s.journalPath()); err != nil {
		return err.Error()
	}
	return ""
}

// The proof of the test above: a site that arms without having given the slot up, or before it was read back, is found.
func TestPartsWrittenBeforeTheLoaderIsTold(t *testing.T) {
	base := newOSSite(t, asDevices)
	s := base.copied(t)
	m := s.world.machine
	m.states[slot.A] = slot.State{Verdict: slot.Good}
	path := s.deps.Host.Path(s.cfg.Spec.Slots.places(slot.A)["root"])
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.halfWay("next") == "" {
		t.Error("a slot that is good and half written was not found")
	}
	m.states[slot.A] = slot.State{Verdict: slot.Trial, Left: 3}
	if s.halfWay("next") == "" {
		t.Error("a slot on trial and half written was not found")
	}
}
