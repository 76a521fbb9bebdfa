package apply

import (
	"context"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// TestCancelAtEveryOperation interrupts an update before each operation, as Ctrl-C does. Before the switch the site is
// as it was; afterwards confirm finishes what was begun, and rollback ends it.
func TestCancelAtEveryOperation(t *testing.T) {
	r := newReleases(t)
	base := newTestSite(t, r.factory, newWorld())
	base.must(r.one)
	finish := map[string]func(s *testSite) error{
		"confirm":  func(s *testSite) error { _, err := s.Confirm(context.Background()); return err },
		"rollback": func(s *testSite) error { _, err := s.Rollback(context.Background(), RollbackOptions{}); return err },
	}
	interruptions := map[Phase]int{}
	for at := 0; ; at++ {
		w := base.world.clone()
		s := siteAt(t, copyDir(t, base.cfg.Spec.State), r.factory, w)
		ctx, cancel := context.WithCancel(context.Background())
		reached := false
		w.faults = &durabletest.Faults{At: 1 << 30, Before: func(n int) {
			if n == at {
				reached = true
				cancel()
			}
		}}
		s.deps.Disk = w.faults.Disk()
		_, err := s.Apply(ctx, r.two.input(), Options{})
		cancel()
		if !reached {
			break
		}
		w.faults = neverFails()
		s = siteAt(t, s.cfg.Spec.State, r.factory, w)
		phase := s.status().Phase
		if err != nil {
			interruptions[phase]++
			if reasonOf(err) != "interrupted" {
				t.Errorf("at %d: error is %v", at, err)
			}
		}
		switch phase {
		case Idle, Written:
			want := &r.one
			if err == nil {
				want = &r.two
			}
			if p := s.problem(want); p != "" {
				t.Errorf("at %d: %s", at, p)
			}
			continue
		case Verified, Loaded:
			t.Errorf("at %d: the load was not undone", at)
		}
		state := s.cfg.Spec.State
		for verb, run := range finish {
			s := siteAt(t, copyDir(t, state), r.factory, w.clone())
			if err := run(s); err != nil {
				t.Errorf("at %d: %s: %v", at, verb, err)
			}
			want := &r.two
			if verb == "rollback" {
				want = &r.one
			}
			if p := s.problem(want); p != "" {
				t.Errorf("at %d (phase %s): after %s: %s", at, phase, verb, p)
			}
		}
	}
	for _, p := range []Phase{Idle, Trial} {
		if interruptions[p] == 0 {
			t.Errorf("no interruption left the site in phase %s: %v", p, interruptions)
		}
	}
}

// A site that the release takes down at each trial is given up after some tries.
func TestTrialThatNeverEndsIsGivenUp(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	real := s.deps.RunChecks
	for n := range maxTries {
		ctx, cancel := context.WithCancel(context.Background())
		s.deps.RunChecks = func(ctx context.Context, _ []bundle.Check, _ check.Env) ([]check.Result, bool, error) {
			cancel()
			return nil, false, ctx.Err()
		}
		var err error
		if n == 0 {
			_, err = s.Apply(ctx, r.two.input(), Options{})
		} else {
			_, err = s.Confirm(ctx)
		}
		if reasonOf(err) != "interrupted" || s.status().Phase != Trial {
			t.Fatalf("try %d: error %v, phase %s", n, err, s.status().Phase)
		}
	}
	s.deps.RunChecks = real
	if _, err := s.Confirm(context.Background()); reasonOf(err) != "rolled-back" {
		t.Fatalf("error is %v", err)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
}
