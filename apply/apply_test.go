package apply

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/bundle"
)

// releases are small releases that share a layer.
type releases struct {
	*factory
	one, two, three, four sealed
}

func newReleases(t *testing.T) *releases {
	t.Helper()
	r := &releases{factory: newFactory(t)}
	r.one = r.make(t, "1.0.0", 1, "a", "b")
	r.two = r.make(t, "2.0.0", 2, "b", "c")
	r.three = r.make(t, "3.0.0", 3, "c", "d")
	r.four = r.make(t, "4.0.0", 4, "d", "e")
	return r
}

func (r *releases) make(t *testing.T, version string, sequence uint64, objects ...string) sealed {
	t.Helper()
	c := newContent(version, sequence)
	c.image(t, "registry.example.com/app:stable", []byte("shared layer"), []byte("app layer "+version))
	c.image(t, "registry.example.com/tools/printer:1", []byte("shared layer"))
	c.configMaps(objects...)
	return r.seal(t, c)
}

func TestApplyCommitsAndKeepsThePreviousRelease(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	res := s.must(r.one)
	if res.Release.Digest != r.one.release.Digest || res.Phase != Idle || res.Previous != nil {
		t.Errorf("result is %+v", res)
	}
	if res.Bytes.Read != int64(len(r.one.bytes)) || res.Bytes.Pushed == 0 {
		t.Errorf("bytes are %+v, the bundle has %d", res.Bytes, len(r.one.bytes))
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
	res = s.must(r.two)
	if res.Previous == nil || res.Previous.Version != "1.0.0" {
		t.Errorf("previous is %v", res.Previous)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
	st := s.status()
	if st.Current.Slot == st.Previous.Slot || st.RollbackIndex != 2 || st.LastAttempted.Result != ResultCommitted {
		t.Errorf("status is %+v", st)
	}
}

func TestApplyOfWhatRunsDoesNothing(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	pushes := s.world.pushes
	res, err := s.apply(r.one)
	if err != nil || res.Result != ResultNothing {
		t.Fatalf("result %+v, error %v", res, err)
	}
	if s.world.pushes != pushes {
		t.Errorf("%d blobs were pushed", s.world.pushes-pushes)
	}
	if res.Bytes.Read >= int64(len(r.one.bytes)) && len(r.one.bytes) > 128<<10 {
		t.Error("the payload was read")
	}
}

func TestFailedChecksPutThePreviousReleaseBack(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.failing = func(v string) bool { return v == "2.0.0" }
	res, err := s.apply(r.two)
	if reasonOf(err) != "rolled-back" || res == nil || res.Result != ResultRolledBack {
		t.Fatalf("result %+v, error %v", res, err)
	}
	if !strings.Contains(err.Error(), "2.0.0 answers 500") || !strings.Contains(err.Error(), "store-platform 1.0.0 runs again") {
		t.Errorf("error is %q", err)
	}
	if len(res.Checks) != 1 || res.Checks[0].Verdict != "fail" {
		t.Errorf("checks are %+v", res.Checks)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
	if _, err := s.apply(r.two); reasonOf(err) != "bad" {
		t.Errorf("a known bad release: %v", err)
	}
	w.failing = func(string) bool { return false }
	if _, err := s.Apply(context.Background(), r.two.input(), Options{Retry: true}); err != nil {
		t.Errorf("a retry: %v", err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
}

// A failed update costs nothing, not even the way back to the release before the one that runs.
func TestFailedUpdateKeepsTheWayBack(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	s.must(r.two)
	w.failing = func(v string) bool { return v == "3.0.0" }
	if _, err := s.apply(r.three); reasonOf(err) != "rolled-back" {
		t.Fatalf("error is %v", err)
	}
	if st := s.status(); st.Previous == nil || st.Previous.Version != "1.0.0" {
		t.Fatalf("previous is %v", st.Previous)
	}
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
}

func TestRollbackGivesUpWhatIsStaged(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	if _, err := s.Stage(context.Background(), r.three.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	if st := s.status(); st.Previous == nil || st.Previous.Version != "1.0.0" {
		t.Errorf("previous is %v", st.Previous)
	}
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
	if st := s.status(); st.Staged != nil || st.Previous.Version != "2.0.0" {
		t.Errorf("status is %+v", st)
	}
}

func TestFailedFirstReleaseLeavesTheSiteEmpty(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	w.failing = func(string) bool { return true }
	s := newTestSite(t, r.factory, w)
	_, err := s.apply(r.one)
	if reasonOf(err) != "rolled-back" || !strings.Contains(err.Error(), "empty again") {
		t.Fatalf("error is %v", err)
	}
	if p := s.problem(nil); p != "" {
		t.Error(p)
	}
	w.failing = func(string) bool { return false }
	s.must(r.two)
}

func TestPersonIsNeededWhenThePreviousReleaseFailsToo(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.failing = func(string) bool { return true }
	res, err := s.apply(r.two)
	if reasonOf(err) != "person" || res == nil {
		t.Fatalf("result %+v, error %v", res, err)
	}
	if st := s.status(); !st.NeedsPerson || st.Person == "" || st.Current.Version != "1.0.0" {
		t.Errorf("status is %+v", st)
	}
	if _, err := s.Confirm(context.Background()); reasonOf(err) != "person" {
		t.Errorf("confirm while it still fails: %v", err)
	}
	w.failing = func(string) bool { return false }
	if _, err := s.Confirm(context.Background()); err != nil {
		t.Errorf("confirm when it is well again: %v", err)
	}
	if s.status().NeedsPerson {
		t.Error("a person is still needed")
	}
}

// A fixed release must get in although the site could not be put right by itself.
func TestNewReleaseMendsASiteThatNeedsAPerson(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.failing = func(v string) bool { return v != "3.0.0" }
	if _, err := s.apply(r.two); reasonOf(err) != "person" {
		t.Fatalf("error is %v", err)
	}
	s.must(r.three)
	if p := s.problem(&r.three); p != "" || s.status().NeedsPerson {
		t.Errorf("%s; needs a person: %v", p, s.status().NeedsPerson)
	}
}

func TestClusterThatGoesDownDuringTheTrial(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	s.deps.RunChecks = func(context.Context, []bundle.Check, check.Env) ([]check.Result, bool, error) {
		w.down = true
		return []check.Result{{Name: "sample", Verdict: "fail", Required: true}}, false, nil
	}
	if _, err := s.apply(r.two); reasonOf(err) != "person" {
		t.Fatalf("error is %v", err)
	}
	if st := s.status(); st.Phase != RollingBack || !st.NeedsPerson {
		t.Errorf("status is %+v", st)
	}
	if _, err := s.Confirm(context.Background()); reasonOf(err) != "person" {
		t.Errorf("confirm while the cluster is down: %v", err)
	}
	w.down = false
	s.deps.RunChecks = w.runChecks
	if _, err := s.Confirm(context.Background()); reasonOf(err) != "rolled-back" {
		t.Errorf("confirm when it is up again: %v", err)
	}
	if p := s.problem(&r.one); p != "" || s.status().NeedsPerson {
		t.Errorf("%s; needs a person: %v", p, s.status().NeedsPerson)
	}
}

func TestTargetIsAskedBeforeTheSwitch(t *testing.T) {
	r := newReleases(t)
	for reason, spoil := range map[string]func(*world){
		"target":  func(w *world) { w.down = true },
		"refused": func(w *world) { w.refuses = "c" },
	} {
		t.Run(reason, func(t *testing.T) {
			w := newWorld()
			s := newTestSite(t, r.factory, w)
			s.must(r.one)
			spoil(w)
			if _, err := s.apply(r.two); reasonOf(err) != reason {
				t.Fatalf("error is %v", err)
			}
			if p := s.problem(&r.one); p != "" {
				t.Error(p)
			}
			w.down, w.refuses = false, ""
			s.must(r.two)
			if p := s.problem(&r.two); p != "" {
				t.Error(p)
			}
		})
	}
}

func TestStageThenApplyStaged(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	tags := s.world.clone().tags
	res, err := s.Stage(context.Background(), r.two.input(), Options{})
	if err != nil || res.Result != ResultStaged || res.Phase != Written {
		t.Fatalf("result %+v, error %v", res, err)
	}
	if text := s.world.differs(&r.one); text != "" {
		t.Errorf("staging changed what runs: %s", text)
	}
	for name, d := range s.world.tags {
		if tags[name] != d {
			t.Errorf("staging moved the tag of %s", name)
		}
	}
	if st := s.status(); st.Staged == nil || st.Staged.Version != "2.0.0" || st.LastAttempted.Result != ResultStaged {
		t.Errorf("status is %+v", st)
	}
	if res, err = s.ApplyStaged(context.Background(), Options{}); err != nil || res.Result != ResultCommitted {
		t.Fatalf("result %+v, error %v", res, err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
	if _, err := s.ApplyStaged(context.Background(), Options{}); reasonOf(err) != "usage" {
		t.Errorf("nothing is staged: %v", err)
	}
	h, err := s.History()
	if err != nil || len(h.Attempts) != 3 || h.Attempts[1].Result != ResultStaged || h.Attempts[2].Result != ResultCommitted {
		t.Errorf("history is %+v, %v", h, err)
	}
}

func TestRollbackSwapsTheReleases(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); reasonOf(err) != "usage" {
		t.Errorf("nothing to roll back to: %v", err)
	}
	s.must(r.one)
	s.must(r.two)
	res, err := s.Rollback(context.Background(), RollbackOptions{})
	if err != nil || res.Result != ResultRolledBack || res.Release.Version != "2.0.0" {
		t.Fatalf("result %+v, error %v", res, err)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
	if st := s.status(); st.RollbackIndex != 2 || st.Previous.Version != "2.0.0" {
		t.Errorf("status is %+v", st)
	}
	// What runs is left alone although it is older than what once ran.
	if res, err := s.apply(r.one); err != nil || res.Result != ResultNothing {
		t.Errorf("result %+v, error %v", res, err)
	}
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Errorf("and back again: %v", err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
}

func TestFailedRollbackKeepsBothReleases(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	s.must(r.two)
	w.failing = func(v string) bool { return v == "1.0.0" }
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); reasonOf(err) != "rolled-back" {
		t.Fatalf("error is %v", err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
	if st := s.status(); st.Previous == nil || st.Previous.Version != "1.0.0" {
		t.Errorf("previous is %v", st.Previous)
	}
}

func TestOlderReleaseIsRefused(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.two)
	if _, err := s.apply(r.one); reasonOf(err) != "sequence" {
		t.Errorf("error is %v", err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
}

func TestSecondSallyportIsTurnedAway(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	l, err := takeLock(s.cfg.Spec.State, "stage")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.apply(r.two)
	if reasonOf(err) != "locked" || !strings.Contains(err.Error(), "stage") || !strings.Contains(err.Error(), "pid") {
		t.Errorf("error is %v", err)
	}
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
	s.must(r.two)
}

func TestDamagedBundleLeavesTheSiteAsItWas(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	last := len(r.two.bytes) - 1100 // within the last blob or its padding
	for name, b := range map[string][]byte{
		"truncated": r.two.bytes[:len(r.two.bytes)-2000],
		"flipped":   flip(r.two.bytes, last),
		"longer":    append(flip(r.two.bytes, -1), 0),
	} {
		t.Run(name, func(t *testing.T) {
			in := r.two.input()
			in.Reader = strings.NewReader(string(b))
			_, err := s.Apply(context.Background(), in, Options{})
			if w := reasonOf(err); w != "truncated" && w != "digest" && w != "format" {
				t.Fatalf("error is %v", err)
			}
			if p := s.problem(&r.one); p != "" {
				t.Error(p)
			}
			if st := s.status(); st.LastAttempted.Result != resultFailed || st.LastAttempted.Reason == "" {
				t.Errorf("last attempt is %+v", st.LastAttempted)
			}
		})
	}
	s.must(r.two)
}

func flip(b []byte, at int) []byte {
	c := append([]byte(nil), b...)
	if at >= 0 {
		c[at] ^= 1
	}
	return c
}

// A stick that is pulled is not a bad bundle: the medium's own error comes through, and a later run succeeds.
func TestPulledStick(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	in := r.two.input()
	pulled := errors.New("input/output error")
	in.Reader = io.MultiReader(io.LimitReader(in.Reader, int64(len(r.two.bytes)-3000)), errReader{pulled})
	if _, err := s.Apply(context.Background(), in, Options{}); !errors.Is(err, pulled) || reasonOf(err) != "" {
		t.Fatalf("error is %v", err)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
	s.must(r.two)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
