package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/backup"
	"github.com/sallyport-dev/sallyport/apply/slot"
)

// ledger is a site's data: a number that whoever runs counts up. Its backups are what it was then.
type ledger struct {
	n        int
	saved    map[string]int
	restored []string // what for
	broken   error    // why nothing can be saved
	lost     error    // why nothing can be put back
}

func (l *ledger) Backup(_ context.Context, id string) (backup.Info, error) {
	if l.broken != nil {
		return backup.Info{}, l.broken
	}
	l.saved[id] = l.n
	return backup.Info{ID: id, Bytes: 8, Files: 1}, nil
}

func (l *ledger) Restore(_ context.Context, r backup.Restoration) error {
	n, ok := l.saved[r.ID]
	switch {
	case l.lost != nil:
		return l.lost
	case !ok:
		return fmt.Errorf("no backup %s", r.ID)
	case slices.Contains(l.restored, r.For):
		return nil
	}
	l.n, l.restored = n, append(l.restored, r.For)
	return nil
}

func (l *ledger) Moved(_ context.Context, id string) (bool, string) {
	return l.saved[id] != l.n, fmt.Sprintf("%d, and %d now", l.saved[id], l.n)
}

func (l *ledger) List() (all []backup.Info, err error) {
	for id := range l.saved {
		all = append(all, backup.Info{ID: id, Time: noon.Add(-7 * 24 * time.Hour)})
	}
	return all, nil
}

func (l *ledger) Drop(needed ...string) error {
	for id := range l.saved {
		if !slices.Contains(needed, id) {
			delete(l.saved, id)
		}
	}
	return nil
}

func (f *fleet) siteWithData(t *testing.T) (*testSite, *ledger) {
	t.Helper()
	s := f.site(t)
	l := &ledger{n: 1, saved: map[string]int{}}
	s.deps.Data = l
	return s, l
}

func TestDataComeBackWithTheFormerRelease(t *testing.T) {
	f := newFleet(t)
	for name, c := range map[string]struct {
		dead, failing bool
		want          int
	}{
		"good": {want: 20}, "failing check": {failing: true, want: 2}, "dead": {dead: true, want: 2},
	} {
		s, l := f.siteWithData(t)
		s.onto(f.one)
		l.n = 2
		if c.failing {
			s.world.failing = func(v string) bool { return v == "2.0.0" }
		}
		s.world.machine.dead[slot.A] = c.dead
		if _, err := s.apply(f.two); err != nil {
			t.Fatal(err)
		}
		s.world.machine.boot(t)
		l.n = 20 // the new release writes
		_, err := s.Confirm(t.Context())
		if c.failing {
			s.world.machine.boot(t)
			_, err = s.Confirm(t.Context())
		}
		if (err != nil) != (c.failing || c.dead) || l.n != c.want {
			t.Errorf("%s: %v, the data are at %d, want %d", name, err, l.n, c.want)
		}
		if want := c.failing || c.dead; (len(l.restored) == 1) != want {
			t.Errorf("%s: restored for %v", name, l.restored)
		}
	}
}

// Nobody said a word in the new slot, but it ran.
func TestDataComeBackIfNobodyConfirms(t *testing.T) {
	f := newFleet(t)
	for name, end := range map[string]func(s *testSite) error{
		"deadline": func(s *testSite) error { _, err := s.Overdue(t.Context()); return err },
		"rollback": func(s *testSite) error { _, err := s.Rollback(t.Context(), RollbackOptions{}); return err },
	} {
		s, l := f.siteWithData(t)
		s.onto(f.one)
		l.n = 2
		if _, err := s.apply(f.two); err != nil {
			t.Fatal(err)
		}
		s.world.machine.boot(t)
		l.n = 20
		if err := end(s); err != nil && reasonOf(err) != "reboot" {
			t.Errorf("%s: %v", name, err)
		}
		s.world.machine.boot(t)
		s.confirm("rolled-back")
		if l.n != 2 {
			t.Errorf("%s: the data are at %d", name, l.n)
		}
	}
}

func TestBackupThatFailsStopsTheUpdate(t *testing.T) {
	f := newFleet(t)
	s, l := f.siteWithData(t)
	s.onto(f.one)
	l.broken = &backup.Error{Word: "backup", Text: "the site's data cannot be saved"}
	if _, err := s.apply(f.two); reasonOf(err) != "backup" {
		t.Error(err)
	}
	s.world.machine.boot(t)
	if s.world.machine.running != slot.B {
		t.Error("the loader was armed")
	}
	l.broken = nil
	s.onto(f.two)
}

func TestRestoreThatFailsNeedsAPerson(t *testing.T) {
	f := newFleet(t)
	s, l := f.siteWithData(t)
	s.onto(f.one)
	s.world.machine.dead[slot.A] = true
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	s.world.machine.boot(t)
	l.lost = errors.New("the backup is damaged")
	s.confirm("person")
	l.lost = nil
	s.confirm("rolled-back")
	s.runs(&f.one, slot.B)
}

// kubernetes#54027, k8s-snap#2795: a week after the commit the old release cannot read the newer data, and the old backup would
// lose the week.
func TestRollbackAfterDataHaveMovedOn(t *testing.T) {
	f := newFleet(t)
	for name, o := range map[string]RollbackOptions{"keep": {KeepData: true}, "restore": {RestoreData: true}} {
		s, l := f.siteWithData(t)
		s.onto(f.one)
		l.n = 2
		s.onto(f.two)
		l.n = 20
		if _, err := s.Rollback(t.Context(), RollbackOptions{}); reasonOf(err) != "data" {
			t.Fatalf("%s: %v", name, err)
		}
		res, err := s.Rollback(t.Context(), o)
		if err != nil || res.Result != ResultArmed {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		s.world.machine.boot(t)
		s.confirm("")
		if want := map[string]int{"keep": 20, "restore": 2}[name]; l.n != want {
			t.Errorf("%s: the data are at %d, want %d", name, l.n, want)
		}
		s.runs(&f.one, slot.B)
	}
}

// A rollback that was to begin with older data, and fails, gives the newer ones back.
func TestRollbackWithOlderDataFails(t *testing.T) {
	f := newFleet(t)
	s, l := f.siteWithData(t)
	s.onto(f.one)
	l.n = 2
	s.onto(f.two)
	l.n = 20
	s.world.failing = func(v string) bool { return v == "1.0.0" }
	if _, err := s.Rollback(t.Context(), RollbackOptions{RestoreData: true}); err != nil {
		t.Fatal(err)
	}
	s.world.machine.boot(t)
	s.confirm("reboot")
	s.world.machine.boot(t)
	s.confirm("rolled-back")
	if l.n != 20 {
		t.Errorf("the data are at %d", l.n)
	}
	s.runs(&f.two, slot.A)
}
