package apply

import (
	"context"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
)

// life is what people, timers and units do with a machine, one after the other, whatever becomes of it.
type life struct {
	name string
	// before is what the machine is brought to, without a fault.
	before func(s *bootSite)
	verb   func(s *bootSite) error
	// verdict is what is run after each boot; nil is Confirm.
	verdict func(s *bootSite) error
	// passed is how often the machine is started after the verb before anybody looks at it; nil is not at all.
	passed func(tries int) int
	// ends are the releases that the machine may come to run, in which boot slot; none of an empty list.
	ends map[*sealed]slot.Name
	// sick is the version whose checks fail, or everything, and dead the slot that does not come up with it.
	sick string
	dead slot.Name
	// unsaved is a loader that cannot store a used-up try.
	unsaved bool
	// vanishes is a device that goes away in the middle of the verb, which is how this life is broken off.
	vanishes bool
	// data are the number that the data may be at, by the release that runs in the end.
	data map[*sealed]int
	// lacks tells of a loader that has no such life.
	lacks func(r *slottest.Rig) bool
	// sample is of what is tried with every loader, too, and short of what has few operations.
	sample, short bool
}

// everything is sick where the fault lies in data or site.
const everything = "everything"

func (l life) judge(s *bootSite) error {
	if l.verdict != nil {
		return l.verdict(s)
	}
	_, err := s.Confirm(context.Background())
	return err
}

func (l life) unseen(r *slottest.Rig) int {
	if l.passed == nil {
		return 0
	}
	return l.passed(r.Tries)
}

// ways are those in which this life is broken off.
func (l life) ways() []func(at int) slottest.Fault {
	if l.vanishes {
		return []func(at int) slottest.Fault{func(at int) slottest.Fault { return &vanish{at: at} }}
	}
	return bootModes()
}

func (f *bootFleet) lives() []life {
	all := append(f.updates(), f.fallBacks()...)
	return append(append(all, f.wayBacks()...), f.outOfOrder()...)
}

// first is a machine that runs the first release, in slot B, and second one that has gone on to the second, in slot A.
func (f *bootFleet) first(s *bootSite)  { s.reach(f.one); s.data.n = 2 }
func (f *bootFleet) second(s *bootSite) { f.first(s); s.reach(f.two); s.data.n = 20 }

func taking(b sealed) func(s *bootSite) error {
	return func(s *bootSite) error { _, err := s.apply(b); return err }
}

// old is the end of an update that fails, and both those of one that may be cut before it begins.
func (f *bootFleet) old() map[*sealed]slot.Name { return map[*sealed]slot.Name{&f.one: slot.B} }
func (f *bootFleet) both() map[*sealed]slot.Name {
	return map[*sealed]slot.Name{&f.one: slot.B, &f.two: slot.A}
}

// kept are each release's own data.
func (f *bootFleet) kept() map[*sealed]int { return map[*sealed]int{&f.one: 2, &f.two: 20} }

func (f *bootFleet) updates() []life {
	return []life{
		{name: "first operating system", before: func(s *bootSite) { s.data.n = 2 }, verb: taking(f.one),
			ends: map[*sealed]slot.Name{nil: slot.A, &f.one: slot.B}, data: map[*sealed]int{nil: 2, &f.one: 2}},
		{name: "update", before: f.first, verb: taking(f.two), ends: f.both(), data: f.kept(), sample: true},
		{name: "staged, then applied", before: func(s *bootSite) {
			f.first(s)
			if _, err := s.Stage(context.Background(), f.two.input(), Options{}); err != nil {
				s.t.Fatal(err)
			}
		}, verb: func(s *bootSite) error { _, err := s.ApplyStaged(context.Background(), Options{}); return err }, ends: f.both(), data: f.kept()},
		{name: "second update before the reboot", before: func(s *bootSite) {
			f.first(s)
			if _, err := s.apply(f.three); err != nil {
				s.t.Fatal(err)
			}
		}, verb: taking(f.two), ends: map[*sealed]slot.Name{&f.one: slot.B, &f.two: slot.A, &f.three: slot.A},
			data: map[*sealed]int{&f.one: 2, &f.two: 20, &f.three: 2}},
		{name: "manifests alone", before: f.first, verb: taking(f.bare), ends: map[*sealed]slot.Name{&f.one: slot.B, &f.bare: slot.B},
			data: map[*sealed]int{&f.one: 2, &f.bare: 2}},
	}
}

// fallBacks are updates that end in the old slot, or nearly so.
func (f *bootFleet) fallBacks() []life {
	return []life{
		{name: "update whose checks fail", before: f.first, verb: taking(f.two), ends: f.old(), data: f.kept(), sick: "2.0.0", sample: true},
		{name: "update that does not start", before: f.first, verb: taking(f.two), ends: f.old(), data: f.kept(), dead: slot.A},
		// greenboot#26: the slots never throw each other out in turn.
		{name: "both slots fail their checks", before: f.first, verb: taking(f.two), ends: f.old(), data: f.kept(), sick: everything},
		// greenboot-rs#173: of the new slot nothing but the timer runs.
		{name: "nobody confirms before the deadline", before: f.first, verb: taking(f.two), verdict: deadline, ends: f.old(), data: f.kept()},
		{name: "a trial that is ended by hand", before: f.first, verb: taking(f.two), verdict: ended, ends: f.old(), data: f.kept()},
		{name: "a fall-back that nobody saw", before: f.first, verb: taking(f.two), passed: func(tries int) int { return tries + 1 },
			ends: f.both(), data: f.kept()}, // an update that was cut before the loader was told goes on
		{name: "a fall-back that nobody saw, ended by hand", before: f.first, verb: taking(f.two), passed: func(tries int) int { return tries + 1 },
			verdict: undone, ends: f.old(), data: f.kept()},
		{name: "confirmed in the last try", before: f.first, verb: taking(f.two), passed: func(tries int) int { return tries - 1 },
			ends: f.both(), data: f.kept()},
	}
}

// deadline is a machine whose new slot starts nothing but the timer, and whose old one starts everything.
func deadline(s *bootSite) error {
	if s.running == slot.A {
		_, err := s.Overdue(context.Background())
		return err
	}
	if _, err := s.Confirm(context.Background()); err != nil {
		return err
	}
	_, err := s.Overdue(context.Background())
	return err
}

// ended is a machine whose new slot nobody looks at but a person, who goes back.
func ended(s *bootSite) error {
	if s.running != slot.A {
		_, err := s.Confirm(context.Background())
		return err
	}
	_, err := s.Rollback(context.Background(), RollbackOptions{KeepData: true})
	return err
}

// undone is a person who goes back without a look at what runs; where there is nothing to go back from, nothing is done.
func undone(s *bootSite) error {
	_, err := s.Rollback(context.Background(), RollbackOptions{KeepData: true})
	if reasonOf(err) == "usage" {
		_, err = s.Confirm(context.Background())
	}
	return err
}

func (f *bootFleet) wayBacks() []life {
	back := func(o RollbackOptions) func(s *bootSite) error {
		return func(s *bootSite) error { _, err := s.Rollback(context.Background(), o); return err }
	}
	older := func(s *bootSite) { f.second(s); s.quiet = true }
	newer := map[*sealed]slot.Name{&f.two: slot.A}
	return []life{
		{name: "rollback", before: f.second, verb: back(RollbackOptions{KeepData: true}), ends: f.both(),
			data: map[*sealed]int{&f.one: 20, &f.two: 20}},
		{name: "rollback with older data", before: older, verb: back(RollbackOptions{RestoreData: true}), ends: f.both(), data: f.kept()},
		{name: "rollback with older data whose checks fail", before: older, verb: back(RollbackOptions{RestoreData: true}), ends: newer,
			data: f.kept(), sick: "1.0.0"},
		{name: "rollback with older data that does not start", before: older, verb: back(RollbackOptions{RestoreData: true}), ends: newer,
			data: f.kept(), dead: slot.B},
	}
}

// outOfOrder are lives with a loader or a device that does not do what it should.
func (f *bootFleet) outOfOrder() []life {
	stranger := func(r *slottest.Rig) bool { return r.Stranger == nil }
	return []life{
		{name: "update with a loader that cannot save", before: f.first, verb: taking(f.two), ends: f.old(), data: f.kept(), unsaved: true,
			lacks: func(r *slottest.Rig) bool { return r.Unsaved == nil }},
		{name: "update with a loader that cannot be written", before: f.first, verb: func(s *bootSite) error {
			s.rig.Break(s.t)
			defer s.rig.Mend(s.t)
			return s.refuses(f.two)
		}, ends: f.old(), data: f.kept(), short: true},
		{name: "update of a machine that something else had booted", before: func(s *bootSite) {
			f.first(s)
			s.rig.Stranger(s.t)
			_ = s.refuses(f.two)
			s.power()
		}, verb: taking(f.two), ends: f.both(), data: f.kept(), lacks: stranger},
		{name: "a loader that cannot be written at the commit", before: f.first, verb: taking(f.two), verdict: tripping,
			ends: f.both(), data: f.kept()},
		{name: "a loader that cannot be written on the way back", before: f.first, verb: taking(f.two), verdict: tripping,
			ends: f.old(), data: f.kept(), sick: "2.0.0"},
		{name: "a device that vanishes", before: f.first, verb: func(s *bootSite) error { return s.resumes(f.two) },
			ends: map[*sealed]slot.Name{&f.two: slot.A}, data: f.kept(), vanishes: true, short: true},
	}
}

// refuses wants an update to be refused because of the loader (exit status 4), and nothing to be changed by it.
func (s *bootSite) refuses(b sealed) error {
	before := s.root(s.running.Other())
	_, err := s.apply(b)
	if fell := s.fault != nil && s.fault.Fell(); !fell && reasonOf(err) != "loader" {
		s.wild = fmt.Sprintf("the loader is out of order, and the update ends with %v", err)
	}
	if now := s.root(s.running.Other()); now != before {
		s.wild = fmt.Sprintf("the loader is out of order, and slot %s held %q and holds %q", s.running.Other(), before, now)
	}
	return err
}

// tripping is Confirm with a loader that cannot be written the first time that a trial is judged.
func tripping(s *bootSite) error {
	if s.running == slot.A && !s.tripped {
		s.tripped = true
		s.rig.Break(s.t)
		_, err := s.Confirm(context.Background())
		s.rig.Mend(s.t)
		switch {
		case s.fault != nil && s.fault.Fell():
			return err
		case err == nil && s.status().Phase == Idle:
			s.wild = "a trial was ended by a loader that cannot be written"
		}
	}
	_, err := s.Confirm(context.Background())
	return err
}
