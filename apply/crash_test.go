package apply

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// scenario is a verb that is broken off at every single operation, of the disk, the mirror and the target.
type scenario struct {
	name    string
	prepare func(s *testSite)
	verb    func(s *testSite) error
	// before and after are what the site runs when the verb has not happened and when it has; nil stands for nothing.
	before, after *sealed
	// failing makes the checks of versions fail.
	failing string
}

func (r *releases) scenarios() []scenario {
	ctx := context.Background()
	none := func(*testSite) {}
	first := func(s *testSite) { s.must(r.one) }
	stagedThird := func(s *testSite) {
		s.must(r.one)
		s.must(r.two)
		if _, err := s.Stage(ctx, r.three.input(), Options{}); err != nil {
			s.t.Fatal(err)
		}
	}
	second := func(s *testSite) { s.must(r.one); s.must(r.two) }
	staged := func(s *testSite) {
		s.must(r.one)
		if _, err := s.Stage(ctx, r.two.input(), Options{}); err != nil {
			s.t.Fatal(err)
		}
	}
	apply := func(b sealed) func(*testSite) error {
		return func(s *testSite) error { _, err := s.apply(b); return err }
	}
	// failed is a site on which release two has failed, and could not be taken back: one object of it, or anything at all.
	failed := func(stuck map[string]string, jammed error) func(s *testSite) {
		return func(s *testSite) {
			s.must(r.one)
			s.world.failing = func(v string) bool { return v == "2.0.0" }
			s.world.stuck, s.world.jammed = stuck, jammed
			if _, err := s.apply(r.two); reasonOf(err) != "rolled-back" && reasonOf(err) != "person" {
				s.t.Fatal(err)
			}
		}
	}
	left, jam := map[string]string{"b": "data cannot be changed"}, errDown
	return []scenario{
		{"first install", none, apply(r.one), nil, &r.one, ""},
		{"first install that fails", none, apply(r.one), nil, nil, "1.0.0"},
		{"update", first, apply(r.two), &r.one, &r.two, ""},
		{"update that fails", first, apply(r.two), &r.one, &r.one, "2.0.0"},
		{"third release", second, apply(r.three), &r.two, &r.three, ""},
		{"third release that fails", second, apply(r.three), &r.two, &r.two, "3.0.0"},
		{"stage", first, func(s *testSite) error { _, err := s.Stage(ctx, r.two.input(), Options{}); return err }, &r.one, &r.one, ""},
		{"apply staged", staged, func(s *testSite) error { _, err := s.ApplyStaged(ctx, Options{}); return err }, &r.one, &r.two, ""},
		{"rollback", second, func(s *testSite) error { _, err := s.Rollback(ctx, RollbackOptions{}); return err }, &r.two, &r.one, ""},
		{"rollback in place of what is staged", stagedThird, func(s *testSite) error { _, err := s.Rollback(ctx, RollbackOptions{}); return err }, &r.two, &r.one, ""},
		{"update that deletes in vain", func(s *testSite) { first(s); s.world.held = map[string]string{"a": "it is still being deleted"} },
			apply(r.two), &r.one, &r.two, ""},
		{"update that fails and leaves something", func(s *testSite) { first(s); s.world.stuck = left }, apply(r.two), &r.one, &r.one, "2.0.0"},
		{"update over what is left", failed(left, nil), apply(r.three), &r.one, &r.three, ""},
		{"update over what is left, that fails", failed(left, nil), apply(r.three), &r.one, &r.one, "3.0.0"},
		{"update while a rollback is stuck", failed(nil, jam), apply(r.three), &r.one, &r.three, ""},
		{"update while a rollback is stuck, that fails", failed(nil, jam), apply(r.three), &r.one, &r.one, "3.0.0"},
		{"rollback that fails", second, func(s *testSite) error { _, err := s.Rollback(ctx, RollbackOptions{}); return err }, &r.two, &r.two, "1.0.0"},
	}
}

// TestCrashMatrix breaks each scenario off at each operation in each way, and holds the site to this:
//
//   - what is on disk can be read, the rollback index has not fallen and the release to fall back to is whole;
//   - until the verb has switched, what runs is untouched;
//   - the next verb, when nothing is in the way any more, leaves the old release or the new one, entirely, and a site on which
//     everything works again.
//
// It goes through every fourth operation, each mode beginning at another one; with $SALLYPORT_MATRIX=all through all of them.
func TestCrashMatrix(t *testing.T) {
	r := newReleases(t)
	step := 4
	switch {
	case slottest.Whole():
		step = 1
	case testing.Short():
		step = 7
	}
	for _, sc := range r.scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			m := &matrix{t: t, r: r, sc: sc}
			m.base = newTestSite(t, r.factory, newWorld())
			sc.prepare(m.base)
			for i, mode := range durabletest.Modes {
				at := i % step
				for m.one(mode, at) {
					at += step
				}
				if at < 20 {
					t.Errorf("%s: only %d operations were broken off", mode, at)
				}
			}
		})
	}
}

type matrix struct {
	t    *testing.T
	r    *releases
	sc   scenario
	base *testSite
}

// one breaks the scenario off at one operation. It returns false when there are not so many.
func (m *matrix) one(mode durabletest.Mode, at int) bool {
	m.t.Helper()
	faults := &durabletest.Faults{At: at, Mode: mode}
	w := m.base.world.clone()
	w.faults = faults
	w.failing = func(v string) bool { return v == m.sc.failing }
	s := siteAt(m.t, copyDir(m.t, m.base.cfg.Spec.State), m.r.factory, w)
	index := s.status().RollbackIndex

	err := m.sc.verb(s)
	if !faults.Fell() {
		return false
	}
	fail := func(format string, args ...any) {
		m.t.Errorf("%s: %s (the verb said: %v)", faults, fmt.Sprintf(format, args...), err)
	}
	w.faults = neverFails()
	w.stuck, w.held, w.jammed = nil, nil, nil
	s = siteAt(m.t, s.cfg.Spec.State, m.r.factory, w)
	if text := m.afterFault(s, index); text != "" {
		fail("right after: %s", text)
	}
	if _, err := s.Confirm(context.Background()); err != nil && reasonOf(err) != "rolled-back" {
		fail("confirm: %v", err)
	}
	old, new := s.problem(m.sc.before), s.problem(m.sc.after)
	if old != "" && new != "" {
		fail("after confirm: neither the old release (%s) nor the new one (%s)", old, new)
	}
	if text := m.canGoBack(s); text != "" {
		fail("after confirm: %s", text)
	}
	if got := s.status().RollbackIndex; got < index {
		fail("the rollback index fell from %d to %d", index, got)
	}
	if text := m.worksAgain(s); text != "" {
		fail("%s", text)
	}
	return true
}

// canGoBack wants a site that had two releases to have two still, unless a third is staged in the place of one.
func (m *matrix) canGoBack(s *testSite) string {
	had, has := m.base.status(), s.status()
	if had.Previous == nil || has.Previous != nil {
		return ""
	}
	return "there is nothing to roll back to any more"
}

// afterFault looks at a site on which nothing has run since the fault.
func (m *matrix) afterFault(s *testSite, index uint64) string {
	j, err := loadJournal(s.journalPath())
	if err != nil {
		return err.Error()
	}
	if j.Names[j.Name].RollbackIndex < index {
		return fmt.Sprintf("the rollback index fell from %d to %d", index, j.Names[j.Name].RollbackIndex)
	}
	for id := range s.world.objects {
		if !slices.Contains(j.Live.IDs(), id) {
			return fmt.Sprintf("the journal does not know of %s, which is on the target", id)
		}
	}
	if j.Current != nil {
		held, err := s.Slots().Load(j.Current.Slot)
		if err != nil {
			return err.Error()
		}
		if held.Digest() != j.Current.Digest {
			return "the current release's slot holds another one"
		}
	}
	switch j.Phase {
	case Verified, Loaded, Written, Armed:
		if m.sc.before == nil || j.Unrestored != "" || len(j.Left) > 0 {
			return ""
		}
		return s.world.differs(m.sc.before)
	}
	return ""
}

// worksAgain applies a release that passes, which must work whatever happened before.
func (m *matrix) worksAgain(s *testSite) string {
	s.world.failing = func(string) bool { return false }
	res, err := s.Apply(context.Background(), m.r.four.input(), Options{})
	if err != nil {
		return fmt.Sprintf("the next apply: %v", err)
	}
	if res.Result != ResultCommitted && res.Result != ResultNothing {
		return "the next apply: " + res.Result
	}
	if text := s.problem(&m.r.four); text != "" {
		return "after the next apply: " + text
	}
	return ""
}
