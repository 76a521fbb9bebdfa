package apply

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestApplyOutsideAWindow(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory, "daily 02:00-04:00 Europe/Budapest")
	_, err := s.apply(r.one)
	if reasonOf(err) != "window" || !strings.Contains(err.Error(), "the next one begins Sun 2026-11-22 02:00 CET") {
		t.Fatalf("apply at noon: %v", err)
	}
	if st := s.status(); st.Phase != Idle || st.Frozen || st.WindowOpen || st.NextWindow.Format(time.RFC3339) != "2026-11-22T02:00:00+01:00" {
		t.Errorf("status is %+v", st)
	}
	if _, err := s.ApplyStaged(context.Background(), Options{}); reasonOf(err) != "usage" {
		t.Errorf("nothing is staged: %v", err)
	}
	if _, err := s.Stage(context.Background(), r.one.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ApplyStaged(context.Background(), Options{}); reasonOf(err) != "window" {
		t.Errorf("what is staged is switched to at noon: %v", err)
	}
	if res, err := s.ApplyStaged(context.Background(), Options{Now: true}); err != nil || res.Result != ResultCommitted {
		t.Fatalf("--now: %v", err)
	}
	// What runs already is nothing to wait for, and the way back is not either.
	if res, err := s.apply(r.one); err != nil || res.Result != ResultNothing {
		t.Errorf("apply of what runs: %v", err)
	}
	if _, err := s.Apply(context.Background(), r.two.input(), Options{Now: true}); err != nil {
		t.Fatal(err)
	}
	if res, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil || res.Result != ResultRolledBack {
		t.Errorf("rollback at noon: %v", err)
	}
}

func TestApplyTooLateInAWindow(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory, "daily 02:00-04:00 UTC")
	s.at("2026-11-21T03:59:30Z")
	if _, err := s.apply(r.one); reasonOf(err) != "window" || !strings.Contains(err.Error(), "ends Sat 2026-11-21 04:00 UTC") {
		t.Errorf("half a minute before the end: %v", err)
	}
	s.at("2026-11-21T03:59:00Z")
	s.must(r.one)
}

// The window closes while the release is loaded: it stays staged, and nothing is switched to.
func TestWindowThatClosesMeanwhile(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory, "daily 02:00-04:00 UTC")
	s.at("2026-11-21T03:30:00Z")
	s.deps.Observe = func(e Event) {
		if e.Label == "loaded" {
			s.at("2026-11-21T04:10:00Z")
		}
	}
	if _, err := s.apply(r.one); reasonOf(err) != "window" {
		t.Fatalf("apply: %v", err)
	}
	if st := s.status(); st.Phase != Written || st.Current != nil || len(s.world.objects) != 0 {
		t.Errorf("status is %+v", st)
	}
}

// A freeze counts for an apply that is at work, and for --now.
func TestFreezeHoldsAnApplyThatIsAtWork(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.deps.Observe = func(e Event) {
		if e.Label == "loaded" {
			if _, err := s.Freeze("stop", nil, 0); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := s.Apply(context.Background(), r.one.input(), Options{Now: true}); reasonOf(err) != "frozen" || !strings.Contains(err.Error(), "stop") {
		t.Fatalf("apply: %v", err)
	}
	if st := s.status(); st.Phase != Written || !st.Frozen || st.Freeze.Reason != "stop" {
		t.Errorf("status is %+v", st)
	}
	if was, err := s.Unfreeze(); !was || err != nil {
		t.Fatal(was, err)
	}
	if was, err := s.Unfreeze(); was || err != nil {
		t.Errorf("unfrozen twice: %v, %v", was, err)
	}
	if res, err := s.ApplyStaged(context.Background(), Options{}); err != nil || res.Result != ResultCommitted {
		t.Errorf("after it was lifted: %v", err)
	}
}

func TestFreezeEnds(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	over := noon.Add(-time.Second)
	if _, err := s.Freeze("", &over, 0); reasonOf(err) != "usage" {
		t.Errorf("a freeze that is over: %v", err)
	}
	end := noon.Add(time.Hour)
	if _, err := s.Freeze("", &end, 0); err != nil {
		t.Fatal(err)
	}
	s.now = end.Add(-time.Second)
	if !s.status().Frozen {
		t.Error("it ends early")
	}
	s.now = end
	if s.status().Frozen {
		t.Error("it does not end")
	}
	// The clock was in the year 2030 when somebody froze the site for an hour.
	s.at("2030-01-01T00:00:00Z")
	if _, err := s.Freeze("", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	s.now = noon
	if f := s.status().Freeze; f == nil || !f.Until.Equal(noon.Add(time.Hour)) {
		t.Errorf("the freeze is %+v", f)
	}
	if _, err := os.Stat(s.freezePath()); err != nil {
		t.Error(err)
	}
}
