package apply

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

func objectOf(name string) kube.ID {
	return kube.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: name}
}

// editedSite runs release one, of whose objects somebody has changed one and deleted the other.
func editedSite(t *testing.T) (*releases, *testSite) {
	t.Helper()
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.world.objects[objectOf("a")] = "edited"
	delete(s.world.objects, objectOf("b"))
	return r, s
}

const editedText = "2 objects differ: ConfigMap shop/a (data.version by kubectl-edit); ConfigMap shop/b (missing)"

func TestDriftIsTold(t *testing.T) {
	r, s := editedSite(t)
	st, err := s.Look(context.Background())
	if err != nil || st.Objects != editedText || len(st.Drift) != 2 || st.NeedsPerson {
		t.Errorf("status is %+v, %v", st, err)
	}
	f := s.objectsStand(context.Background())
	if f.OK || f.Message != editedText || !strings.HasPrefix(f.Mend, "sallyport apply --repair puts them back") {
		t.Errorf("the doctor says %+v", f)
	}
	// Nothing is done about it unasked.
	res, err := s.apply(r.one)
	if err != nil || res.Result != ResultNothing || len(res.Drift) != 2 || len(res.Mended) > 0 || s.world.objects[objectOf("a")] != "edited" {
		t.Errorf("apply: %+v, %v", res, err)
	}
}

func TestNoDriftIsTold(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	if text, drift := s.ExamineTarget(context.Background()); text != "none" || drift == nil {
		t.Errorf("of no release: %q, %v", text, drift)
	}
	s.must(r.one)
	if text, drift := s.ExamineTarget(context.Background()); text != "as store-platform 1.0.0 has them" || drift == nil || len(drift) > 0 {
		t.Errorf("%q, %v", text, drift)
	}
	if res := s.must(r.one); len(res.Drift) > 0 {
		t.Errorf("apply: %+v", res)
	}
}

// silentTarget is asked and never answers.
type silentTarget struct{ Target }

func (silentTarget) Drift(ctx context.Context, _ kube.Objects) ([]kube.Difference, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A cluster that is down holds up neither status nor an apply that has nothing to do.
func TestDriftOfTargetThatDoesNotAnswer(t *testing.T) {
	r, s := editedSite(t)
	s.world.down = true
	if text, drift := s.ExamineTarget(context.Background()); drift != nil || !strings.HasPrefix(text, "not asked: https://cluster cannot answer") {
		t.Errorf("%q, %v", text, drift)
	}
	if res, err := s.apply(r.one); err != nil || res.Result != ResultNothing {
		t.Errorf("apply: %+v, %v", res, err)
	}
	s.deps.OpenTarget = func(context.Context) (Target, error) { return silentTarget{}, nil }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if text, drift := s.ExamineTarget(ctx); drift != nil || text != "not asked: the target did not answer within 5 s" {
		t.Errorf("%q, %v", text, drift)
	}
}

func TestRepair(t *testing.T) {
	for name, repair := range map[string]func(*releases, *testSite) (*Result, error){
		"of what runs": func(_ *releases, s *testSite) (*Result, error) { return s.RepairTarget(context.Background()) },
		"by a bundle": func(r *releases, s *testSite) (*Result, error) {
			return s.Apply(context.Background(), r.one.input(), Options{Repair: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := editedSite(t)
			res, err := repair(r, s)
			if err != nil || res.Result != ResultNothing || strings.Join(res.Mended, ", ") != "ConfigMap shop/a, ConfigMap shop/b" {
				t.Fatalf("%+v, %v", res, err)
			}
			if p := s.problem(&r.one); p != "" {
				t.Error(p)
			}
			h, err := s.History()
			if err != nil {
				t.Fatal(err)
			}
			last := h.Attempts[len(h.Attempts)-1]
			if len(h.Attempts) != 2 || last.Verb != "apply --repair" || last.Result != resultRepaired || last.Version != "1.0.0" {
				t.Errorf("the history ends with %+v", last)
			}
			if st := s.status(); st.Since == nil || !st.Since.Equal(h.Attempts[0].Ended) {
				t.Errorf("a repair is no new begin: %+v", st)
			}
			// Again there is nothing to do, and the way on is open.
			if res, err := repair(r, s); err != nil || len(res.Mended) > 0 {
				t.Errorf("again: %+v, %v", res, err)
			}
			s.must(r.two)
		})
	}
}

// A repair is a change like any other: the checks decide whether the site is well.
func TestRepairIsChecked(t *testing.T) {
	_, s := editedSite(t)
	s.world.failing = func(string) bool { return true }
	if _, err := s.RepairTarget(context.Background()); reasonOf(err) != "person" {
		t.Errorf("got %v", err)
	}
	if st := s.status(); !st.NeedsPerson {
		t.Errorf("status is %+v", st)
	}
}

func TestRepairNamesWhatIsLeft(t *testing.T) {
	_, s := editedSite(t)
	s.world.stuck = map[string]string{"a": "spec.x cannot be changed"}
	_, err := s.RepairTarget(context.Background())
	if reasonOf(err) != "refused" || !strings.Contains(err.Error(), "ConfigMap shop/a: spec.x cannot be changed") {
		t.Errorf("got %v", err)
	}
	if s.world.objects[objectOf("b")] != "1.0.0" {
		t.Error("the other object was not put back")
	}
}

func TestRepairOfWhatDoesNotRun(t *testing.T) {
	r, s := editedSite(t)
	if _, err := s.Apply(context.Background(), r.two.input(), Options{Repair: true}); reasonOf(err) != "usage" ||
		!strings.Contains(err.Error(), "store-platform 2.0.0 does not run here: this site runs store-platform 1.0.0") {
		t.Errorf("got %v", err)
	}
	empty := newTestSite(t, r.factory, newWorld())
	if _, err := empty.RepairTarget(context.Background()); reasonOf(err) != "usage" {
		t.Errorf("got %v", err)
	}
}

// A repair that is cut short, wherever that is, is done by the next one.
func TestRepairCutShort(t *testing.T) {
	for _, mode := range durabletest.Modes {
		t.Run(string(mode), func(t *testing.T) {
			at := 0
			for cutShort(t, at, mode) {
				at++
			}
			if at < 4 {
				t.Fatalf("only %d operations could fail", at)
			}
		})
	}
}

// cutShort tells whether there was an operation that could fail.
func cutShort(t *testing.T, at int, mode durabletest.Mode) bool {
	t.Helper()
	r, s := editedSite(t)
	w := s.world.clone()
	w.faults = &durabletest.Faults{At: at, Mode: mode}
	_, _ = siteAt(t, s.cfg.Spec.State, r.factory, w).RepairTarget(context.Background()) // what it says does not matter here
	if !w.faults.Fell() {
		return false
	}
	w.faults = neverFails()
	s = siteAt(t, s.cfg.Spec.State, r.factory, w)
	if _, err := s.RepairTarget(context.Background()); err != nil {
		t.Fatalf("operation %d failed, then: %v", at, err)
	}
	if p := s.problem(&r.one); p != "" {
		t.Errorf("operation %d failed, then: %s", at, p)
	}
	return true
}
