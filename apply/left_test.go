package apply

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/kube"
)

func namesOf(left []Left) string {
	var names []string
	for _, l := range left {
		names = append(names, l.Name)
	}
	return strings.Join(names, " ")
}

// One object that cannot be put back keeps none of the others away: what runs is judged by its checks, the object is named,
// and each later verb tries it again.
func TestRollbackNamesWhatItLeaves(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.failing = func(v string) bool { return v == "2.0.0" }
	w.stuck = map[string]string{"b": "data cannot be changed"}
	res, err := s.apply(r.two)
	if reasonOf(err) != "rolled-back" || !strings.Contains(err.Error(), "ConfigMap shop/b: data cannot be changed") {
		t.Fatalf("%+v, %v", res, err)
	}
	if namesOf(res.Left) != "b" || w.objects[kube.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"}] != "1.0.0" {
		t.Errorf("left %v, the cluster has %v", res.Left, w.objects)
	}
	st := s.status()
	if namesOf(st.Left) != "b" || st.NeedsPerson || st.Phase != Idle || namesOf(st.LastAttempted.Left) != "b" {
		t.Errorf("status is %+v", st)
	}
	if res, err := s.Confirm(context.Background()); err != nil || namesOf(res.Left) != "b" {
		t.Errorf("confirm while it is in the way: %+v, %v", res, err)
	}
	w.stuck = nil
	if res, err := s.Confirm(context.Background()); err != nil || len(res.Left) > 0 {
		t.Errorf("confirm: %+v, %v", res, err)
	}
	if p := s.problem(&r.one); p != "" || len(s.status().Left) > 0 {
		t.Errorf("%s; left %v", p, s.status().Left)
	}
}

// A release that mends what could not be put back gets in, and ends the matter.
func TestNewReleaseOverWhatIsLeft(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.failing = func(v string) bool { return v == "2.0.0" }
	w.stuck = map[string]string{"b": "data cannot be changed"}
	if _, err := s.apply(r.two); reasonOf(err) != "rolled-back" {
		t.Fatal(err)
	}
	s.must(r.three)
	if p := s.problem(&r.three); p != "" || len(s.status().Left) > 0 {
		t.Errorf("%s; left %v", p, s.status().Left)
	}
}

// What runs and fails its own checks needs a person, whatever was left.
func TestPersonIsNeededWhereWhatIsLeftIsMissed(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.failing = func(string) bool { return true }
	w.stuck = map[string]string{"b": "data cannot be changed"}
	res, err := s.apply(r.two)
	if reasonOf(err) != "person" || namesOf(res.Left) != "b" {
		t.Fatalf("%+v, %v", res, err)
	}
}

// Nothing is deleted before the new release has passed its checks.
func TestPruneWaitsForTheChecks(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	old := kube.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"}
	asked := false
	w.failing = func(string) bool {
		asked = true
		if w.objects[old] != "1.0.0" {
			t.Errorf("on trial the cluster has %v", w.objects)
		}
		return false
	}
	s.must(r.two)
	if p := s.problem(&r.two); p != "" || !asked {
		t.Errorf("%s; checked: %v", p, asked)
	}
}

// A deletion that is refused or hangs fails no commit and holds up no later release: it is told of until it is done.
func TestDeletionThatIsRefused(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.held = map[string]string{"a": "it is still being deleted (finalizers: example.com/keep)"}
	if res := s.must(r.two); namesOf(res.Leaving) != "a" {
		t.Errorf("result is %+v", res)
	}
	if res := s.must(r.three); namesOf(res.Leaving) != "a" {
		t.Errorf("result is %+v", res)
	}
	if st := s.status(); namesOf(st.Leaving) != "a" || !strings.Contains(st.Leaving[0].Why, "example.com/keep") {
		t.Errorf("status is %+v", st)
	}
	w.held = nil
	if _, err := s.Confirm(context.Background()); err != nil {
		t.Error(err)
	}
	if p := s.problem(&r.three); p != "" || len(s.status().Leaving) > 0 {
		t.Errorf("%s; leaving %v", p, s.status().Leaving)
	}
}

// What leaves a release and stays on the target is named, with the reason.
func TestWhatStaysIsNamed(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.foreign = map[string]string{"a": "others are in it"}
	s.said = nil
	if res := s.must(r.two); len(res.Leaving) > 0 || !s.hears("left on the target: ") || !s.hears("a: others are in it") {
		t.Errorf("result %+v, said %v", res, s.said)
	}
}

// A target that goes away while a release is being committed does not undo it.
func TestTargetThatGoesAwayDuringTheCommit(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.failing = func(string) bool { w.down = true; return false }
	if res := s.must(r.two); namesOf(res.Leaving) != "a" {
		t.Errorf("result is %+v", res)
	}
	w.down = false
	s.must(r.two)
	if p := s.problem(&r.two); p != "" || len(s.status().Leaving) > 0 {
		t.Errorf("%s; leaving %v", p, s.status().Leaving)
	}
}

// A newer release gets in although the rollback under way cannot be finished.
func TestNewReleaseWhileARollbackIsStuck(t *testing.T) {
	for name, failing := range map[string]string{"passes": "", "fails": "4.0.0"} {
		t.Run(name, func(t *testing.T) {
			r := newReleases(t)
			s := stuckSite(t, r)
			s.world.failing = func(v string) bool { return v == failing }
			_, err := s.apply(r.four)
			if failing != "" {
				if st := s.status(); reasonOf(err) != "person" || st.Phase != RollingBack || st.Current.Version != "2.0.0" {
					t.Errorf("%v; status is %+v", err, st)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if text := s.world.differs(&r.four); text != "" || s.status().NeedsPerson {
				t.Errorf("%s; status is %+v", text, s.status())
			}
		})
	}
}

// What does not fit, and what failed here, ends no rollback.
func TestRollbackThatIsStuckStaysForWhatDoesNotFit(t *testing.T) {
	r := newReleases(t)
	s := stuckSite(t, r)
	if _, err := s.apply(r.three); reasonOf(err) != "bad" {
		t.Errorf("the release that failed: %v", err)
	}
	s.world.down = true
	if _, err := s.apply(r.four); reasonOf(err) != "person" {
		t.Errorf("a target that is down: %v", err)
	}
	if st := s.status(); st.Phase != RollingBack || !st.NeedsPerson {
		t.Errorf("status is %+v", st)
	}
}

// A rollback that was given up for a release that did not come after all is taken up by the next verb.
func TestRollbackIsTakenUpAgain(t *testing.T) {
	r := newReleases(t)
	s := stuckSite(t, r)
	in := r.four.input()
	in.Reader = strings.NewReader(string(r.four.bytes[:len(r.four.bytes)-2000]))
	if _, err := s.Apply(context.Background(), in, Options{}); reasonOf(err) != "truncated" {
		t.Fatalf("error is %v", err)
	}
	st := s.status()
	if st.Phase != Idle || !st.NeedsPerson || st.Unrestored == "" || st.Current.Version != "2.0.0" {
		t.Errorf("status is %+v", st)
	}
	if _, err := s.Confirm(context.Background()); reasonOf(err) != "person" {
		t.Errorf("confirm: %v", err)
	}
	s.must(r.two) // mends the slot
	if p := s.problem(&r.two); p != "" || s.status().NeedsPerson || s.status().Unrestored != "" {
		t.Errorf("%s; status is %+v", p, s.status())
	}
}

// A dry run ends with a verdict that names what stands in the way.
func TestDryRunGivesAVerdict(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	f, err := s.DryRun(t.Context(), r.two.input(), Options{})
	if err != nil || !f.Verdict.Applicable || len(f.Verdict.Objects) > 0 {
		t.Errorf("%+v, %v", f, err)
	}
	w.refuses = "c"
	f, err = s.DryRun(t.Context(), r.two.input(), Options{})
	if reasonOf(err) != "refused" || f.Verdict.Applicable || f.Verdict.Reason != "refused" || len(f.Verdict.Objects) != 1 || f.Verdict.Objects[0].Name != "c" {
		t.Errorf("%+v, %v", f, err)
	}
}
