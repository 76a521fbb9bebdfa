package apply

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/backup"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// bootSite is a machine with a real boot loader's model, and with data that whoever runs counts up.
type bootSite struct {
	*testSite
	t     *testing.T
	f     *bootFleet
	rig   *slottest.Rig
	fault slottest.Fault // what breaks the world off; nil: nothing does

	boots   int
	running slot.Name
	dead    map[slot.Name]bool // the slot does not come up
	data    *ledger
	quiet   bool   // whoever runs leaves the data as they are
	tripped bool   // the loader was out of order for one verdict
	devices string // where the machine's devices are; empty: the parts' places are files
	wild    string // what must never be seen, if it was seen
}

// bootFleet are releases for it, and one more that is always good.
type bootFleet struct {
	*fleet
	last sealed
}

func newBootFleet(t *testing.T) *bootFleet {
	t.Helper()
	f := &bootFleet{fleet: newFleet(t)}
	c := newContent("9.0.0", 9)
	c.configMaps("a", "z")
	c.os("root 3")
	f.last = f.factory.seal(t, c)
	return f
}

// newBootSite is a machine that runs what it was delivered with in slot A.
func newBootSite(t *testing.T, f *bootFleet, open slottest.Opener) *bootSite {
	t.Helper()
	s := &bootSite{t: t, f: f, running: slot.A, dead: map[slot.Name]bool{}, data: &ledger{n: 1, saved: map[string]int{}}}
	s.rig = open(t, s.disk())
	s.start(filepath.Join(t.TempDir(), "state"), newWorld())
	return s
}

// disk is that of the site and of its boot loader.
func (s *bootSite) disk() durable.Disk {
	return durable.Disk{Intercept: func(op durable.Op, do func() error) error {
		if s.fault != nil {
			err := s.fault.Disk().Intercept(op, do)
			if _, ok := s.fault.(*slottest.Tear); ok && s.fault.Fell() {
				s.world.faults = blackout()
			}
			return err
		}
		if op.Kind == durable.OpSync || op.Kind == durable.OpSyncDir {
			return nil
		}
		return do()
	}}
}

// blackout is a world that stands still.
func blackout() *durabletest.Faults {
	f := &durabletest.Faults{Mode: durabletest.Crash}
	_ = f.Step("power", "", func() error { return nil })
	return f
}

// breakOff sets what breaks the world off; nil lets it be.
func (s *bootSite) breakOff(f slottest.Fault) {
	s.fault, s.world.faults = f, neverFails()
	if faults, ok := f.(*durabletest.Faults); ok {
		s.world.faults = faults
	}
}

// fell tells whether the fault has fallen, which then is over, and whether the power went with it.
func (s *bootSite) fell() (fell, dark bool) {
	if s.fault == nil || !s.fault.Fell() {
		return false, false
	}
	faults, ok := s.fault.(*durabletest.Faults)
	dark = !ok || faults.Crashed()
	if v, ok := s.fault.(*vanish); ok {
		v.back(s.t)
		dark = false
	}
	s.breakOff(nil)
	return true, dark
}

// start starts a process on the machine: it knows nothing but what is on disk.
func (s *bootSite) start(state string, w *world) {
	s.testSite = siteAt(s.t, state, s.f.factory, w)
	s.deps.Disk = s.disk()
	s.withMachine()
	s.plug()
	s.cfg.Spec.Slots.Tries = s.rig.Tries
	s.deps.Loader = func() (slot.Loader, error) { return s.rig.Loader, nil }
	s.deps.BootID = func() (string, error) { return fmt.Sprint(s.boots), nil }
	s.deps.Data = shakyLedger{s.data, s}
}

// power is a start of the machine, after a shutdown or after the power has gone.
func (s *bootSite) power() {
	for range 2*s.rig.Tries + 3 {
		s.boots++
		if s.running = s.rig.Boot(s.t); s.running == slot.None {
			break
		}
		s.look()
		if !s.dead[s.running] {
			s.start(s.cfg.Spec.State, s.world)
			s.write()
			return
		}
	}
	s.wild = "no slot comes up"
}

// look holds what was booted to being whole: a slot in which a release's operating system is half written is booted by nobody.
func (s *bootSite) look() {
	root := s.root(s.running)
	if whole := root == "" && s.running == slot.A || root == "root 1" || root == "root 2" || root == "root 3"; !whole {
		s.wild = fmt.Sprintf("slot %s is booted, and its root is %q", s.running, root)
	}
}

// write is the data moving on under the release that runs.
func (s *bootSite) write() {
	if s.root(s.running) == "root 2" && !s.quiet {
		s.data.n = 20
	}
}

// shakyLedger is a ledger whose every change can be broken off.
type shakyLedger struct {
	*ledger
	s *bootSite
}

func (l shakyLedger) Backup(ctx context.Context, id string) (info backup.Info, err error) {
	err = l.s.disk().Intercept(durable.Op{Kind: "backup", Path: id}, func() error {
		info, err = l.ledger.Backup(ctx, id)
		return err
	})
	return info, err
}

func (l shakyLedger) Restore(ctx context.Context, r backup.Restoration) error {
	return l.s.disk().Intercept(durable.Op{Kind: "restore", Path: r.For}, func() error { return l.ledger.Restore(ctx, r) })
}

// reach brings the machine to a release, with the reboot that it takes.
func (s *bootSite) reach(b sealed) {
	s.t.Helper()
	if _, err := s.apply(b); err != nil {
		s.t.Fatalf("apply %s: %v", b.release, err)
	}
	s.power()
	if res, err := s.Confirm(s.t.Context()); err != nil || res.Result != ResultCommitted {
		s.t.Fatalf("confirm %s: %+v, %v", b.release, res, err)
	}
}

// live goes through a life that is broken off by f until the machine is at rest. It says how that ends, and what was wrong with it.
func (s *bootSite) live(l life, f slottest.Fault) (end string, err error) {
	s.world.failing = func(v string) bool { return v == l.sick || l.sick == everything }
	s.dead[l.dead] = l.dead != slot.None
	if l.unsaved {
		s.rig.Unsaved(s.t)
	}
	s.breakOff(f)
	_ = l.verb(s)
	s.fell()
	s.power()
	for range l.unseen(s.rig) {
		s.power()
	}
	for range 8 {
		if s.wild != "" {
			return "", errors.New(s.wild)
		}
		err := l.judge(s)
		switch fell, dark := s.fell(); {
		case dark || reasonOf(err) == "reboot":
			s.power()
			continue
		case fell:
			continue // once more
		case err != nil && reasonOf(err) != "rolled-back" && (reasonOf(err) != "person" || l.sick != everything):
			return "", fmt.Errorf("confirm: %w", err)
		}
		if st := s.status(); st.Phase == Idle || st.Phase == Written {
			return s.rests(l)
		}
		s.power()
	}
	return "", fmt.Errorf("the machine does not come to rest: phase %s", s.status().Phase)
}

// rests holds a machine at rest to the invariant: the slot that runs is good and the first, the manifests and the data are its
// release's, and the status says so.
func (s *bootSite) rests(l life) (end string, err error) {
	var problems []string
	for b, n := range l.ends {
		text := s.problem(b)
		if text == "" && s.running != n {
			text = fmt.Sprintf("boot slot %s runs, not %s", s.running, n)
		}
		if want := l.data[b]; text == "" && s.data.n != want {
			text = fmt.Sprintf("the data are at %d, not %d", s.data.n, want)
		}
		if text == "" {
			return s.settled(l, b)
		}
		problems = append(problems, text)
	}
	return "", fmt.Errorf("the machine runs none of the releases that it may: %q", problems)
}

// settled holds the status to the truth, and a machine that asks for a person to staying as it is, whatever starts it.
func (s *bootSite) settled(l life, b *sealed) (end string, err error) {
	person, home := s.status().NeedsPerson, s.running
	end = "as delivered"
	if b != nil {
		end = b.release.Version
	}
	if last := s.status().LastAttempted; last != nil && last.Result == ResultRolledBack {
		end += ", rolled back"
	}
	if !person {
		return end, s.tells(b)
	}
	s.breakOff(nil)
	for range s.rig.Tries + 2 {
		s.power()
		if _, err := s.Confirm(context.Background()); reasonOf(err) != "person" || s.running != home {
			return "", fmt.Errorf("slot %s of a machine that asks for a person runs after slot %s, and confirm says %w", s.running, home, err)
		}
	}
	s.world.failing = func(string) bool { return false }
	if _, err := s.Confirm(context.Background()); err != nil {
		return "", fmt.Errorf("confirm, once all is well again: %w", err)
	}
	return end + ", asking for a person", s.tells(b)
}

// tells holds the status to the truth.
func (s *bootSite) tells(b *sealed) error {
	st, err := s.Look(context.Background())
	if err != nil {
		return err
	}
	state := map[slot.Name]*slot.State{slot.A: st.Boot.A, slot.B: st.Boot.B}[s.running]
	switch {
	case st.Boot.Running != s.running || st.Boot.Problem != "":
		return fmt.Errorf("slot %s runs, and the status says %+v", s.running, st.Boot)
	case state == nil || *state != slot.State{Verdict: slot.Good, First: true}:
		return fmt.Errorf("slot %s runs, and is %+v", s.running, state)
	case st.NeedsPerson || st.Boot.RebootDue:
		return fmt.Errorf("the status asks for something: %+v", st)
	case b != nil && st.Current.Boot != s.running:
		return fmt.Errorf("slot %s runs, and the status says that %s runs in slot %s", s.running, st.Current, st.Current.Boot)
	}
	return nil
}

// goesOn wants an update of a machine to work that nothing is in the way of any more.
func (s *bootSite) goesOn() error {
	s.world.failing = func(string) bool { return false }
	s.dead = map[slot.Name]bool{}
	res, err := s.apply(s.f.last)
	if err != nil {
		return fmt.Errorf("the next update: %w", err)
	}
	if res.Result == ResultArmed {
		s.power()
		if s.wild != "" {
			return fmt.Errorf("the next update: %s", s.wild)
		}
		if res, err = s.Confirm(context.Background()); err != nil {
			return fmt.Errorf("the next update: %w", err)
		}
	}
	if text := s.problem(&s.f.last); text != "" {
		return fmt.Errorf("after the next update (%s): %s", res.Result, text)
	}
	return nil
}
