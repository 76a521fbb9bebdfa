package apply

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// fleet are releases for a machine with two boot slots: each its objects and, but for the plain one, an operating system.
type fleet struct {
	factory                     *factory
	one, two, three, same, bare sealed
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{factory: newFactory(t)}
	release := func(version string, sequence uint64, root string, names ...string) sealed {
		c := newContent(version, sequence)
		c.configMaps(names...)
		if root != "" {
			c.os(root)
		}
		return f.factory.seal(t, c)
	}
	f.one = release("1.0.0", 1, "root 1", "a")
	f.two = release("2.0.0", 2, "root 2", "a", "b")
	f.three = release("3.0.0", 3, "root 3", "a", "c")
	f.same = release("4.0.0", 4, "root 2", "a", "d")
	f.bare = release("5.0.0", 5, "", "a", "e")
	return f
}

// site is a machine that runs what it was delivered with in slot A, and no release.
func (f *fleet) site(t *testing.T) *testSite {
	t.Helper()
	w := newWorld()
	w.machine = newMachine()
	s := newTestSite(t, f.factory, w)
	return s
}

// onto brings a site to a release, with the reboot that it takes.
func (s *testSite) onto(b sealed) {
	s.t.Helper()
	res, err := s.apply(b)
	if err != nil {
		s.t.Fatalf("apply %s: %v", b.release, err)
	}
	if res.Result == ResultCommitted {
		return
	}
	if res.Result != ResultArmed || res.Phase != Armed {
		s.t.Fatalf("apply %s: %s in phase %s", b.release, res.Result, res.Phase)
	}
	s.world.machine.boot(s.t)
	if res, err = s.Confirm(s.t.Context()); err != nil || res.Result != ResultCommitted {
		s.t.Fatalf("confirm %s: %+v, %v", b.release, res, err)
	}
}

// runs wants a site that is at rest with a release, in a boot slot that is good and the first.
func (s *testSite) runs(b *sealed, n slot.Name) {
	s.t.Helper()
	if text := s.problem(b); text != "" {
		s.t.Error(text)
	}
	m := s.world.machine
	if m.running != n || m.states[n].Verdict != slot.Good || m.first != n {
		s.t.Errorf("boot slot %s runs, %s is first, %v", m.running, m.first, m.states)
	}
	if c := s.status().Current; b != nil && (c == nil || c.Boot != n) {
		s.t.Errorf("current is %+v", c)
	}
}

func (s *testSite) confirm(reason string) *Result {
	s.t.Helper()
	res, err := s.Confirm(context.Background())
	if reasonOf(err) != reason {
		s.t.Fatalf("confirm: %+v, %v, want %q", res, err, reason)
	}
	return res
}

func TestUpdateOfTheOperatingSystem(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	res, err := s.apply(f.one)
	if err != nil || res.Result != ResultArmed || len(s.world.objects) != 0 {
		t.Fatalf("%+v, %v, objects %v", res, err, s.world.objects)
	}
	if again, err := s.apply(f.one); err != nil || again.Result != ResultArmed {
		t.Errorf("the same bundle before the reboot: %+v, %v", again, err)
	}
	st, err := s.Look(t.Context())
	if err != nil || st.Boot == nil || !st.Boot.RebootDue || st.Boot.Running != slot.A || st.Boot.B.Left != slot.DefaultTries {
		t.Errorf("status: %+v, %v", st.Boot, err)
	}
	s.world.machine.boot(t)
	if st, _ := s.Look(t.Context()); st.Boot.RebootDue || st.Boot.Running != slot.B || st.Boot.Deadline == nil {
		t.Errorf("status after the boot: %+v", st.Boot)
	}
	if res := s.confirm(""); res.Result != ResultCommitted {
		t.Errorf("confirm: %s", res.Result)
	}
	s.runs(&f.one, slot.B)
	if s.root(slot.B) != "root 1" {
		t.Errorf("slot B holds %q", s.root(slot.B))
	}
	if again := s.must(f.one); again.Result != ResultNothing {
		t.Errorf("the same bundle again: %s", again.Result)
	}
	s.onto(f.two)
	s.runs(&f.two, slot.A)
}

// A kernel that panics, or does not load: the loader falls back by itself, and that is never a success.
func TestLoaderFallsBack(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	s.world.machine.dead[slot.A] = true
	s.world.machine.boot(t)
	s.confirm("rolled-back")
	s.runs(&f.one, slot.B)
	if last := s.status().LastAttempted; last.Result != ResultRolledBack || !strings.Contains(last.Reason, "tries used up") {
		t.Errorf("%+v", last)
	}
	if _, err := s.apply(f.two); reasonOf(err) != "bad" {
		t.Errorf("the release that failed: %v", err)
	}
	if s.status().Previous != nil {
		t.Error("there is something to roll back to, in a slot that was written to")
	}
	s.world.machine.dead[slot.A] = false
	s.onto(f.three)
	s.runs(&f.three, slot.A)
}

// mender#294: the loader's script never ran. The release is not to blame.
func TestLoaderNeverTried(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.world.machine.ignores = true
	if _, err := s.apply(f.one); err != nil {
		t.Fatal(err)
	}
	s.world.machine.boot(t)
	s.confirm("rolled-back")
	if last := s.status().LastAttempted; !strings.Contains(last.Reason, "no try was taken") {
		t.Errorf("%+v", last)
	}
	s.world.machine.ignores = false
	s.onto(f.one)
}

func TestFailingCheckAfterTheBoot(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	s.world.failing = func(v string) bool { return v == "2.0.0" }
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	s.world.machine.boot(t)
	s.confirm("reboot")
	s.confirm("reboot") // until somebody does
	if _, err := s.apply(f.three); reasonOf(err) != "reboot" {
		t.Errorf("another release before the way back: %v", err)
	}
	s.world.machine.boot(t)
	s.confirm("rolled-back")
	s.runs(&f.one, slot.B)
	if s.confirm("").Result != ResultNothing {
		t.Error("a second confirm does something")
	}
}

// greenboot#26: the fault lies in data or site. Both slots fail; one way back, and then a person.
func TestBothSlotsFail(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	s.world.failing = func(string) bool { return true }
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	s.world.machine.boot(t)
	s.confirm("reboot")
	s.world.machine.boot(t)
	s.confirm("person")
	for range 3 {
		s.world.machine.boot(t)
		s.confirm("person")
		if s.world.machine.running != slot.B {
			t.Fatal("the slots throw each other out in turn")
		}
	}
	s.world.failing = func(string) bool { return false }
	s.confirm("")
	s.runs(&f.one, slot.B)
}

// systemd#32653: an old kernel with a new root file system is no success.
func TestKernelAndRootDisagree(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	s.world.machine.boot(t)
	s.world.machine.split = true
	s.confirm("reboot")
	s.world.machine.boot(t)
	s.confirm("person") // once back, and they disagree still
	s.world.machine.split = false
	s.confirm("rolled-back")
	s.runs(&f.one, slot.B)
}

func TestSecondUpdateBeforeTheReboot(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	if _, err := s.apply(f.three); err != nil {
		t.Fatal(err)
	}
	if s.root(slot.A) != "root 3" || s.status().Trial.Version != "3.0.0" {
		t.Errorf("slot A holds %q, on trial is %s", s.root(slot.A), s.status().Trial)
	}
	s.world.machine.boot(t)
	s.confirm("")
	s.runs(&f.three, slot.A)
}

func TestRollbackBootsTheOtherSlot(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	s.onto(f.two)
	res, err := s.Rollback(t.Context(), RollbackOptions{})
	if err != nil || res.Result != ResultArmed {
		t.Fatalf("%+v, %v", res, err)
	}
	s.world.machine.boot(t)
	if res := s.confirm(""); res.Result != ResultRolledBack {
		t.Errorf("%s", res.Result)
	}
	s.runs(&f.one, slot.B)
	if _, err := s.apply(f.two); reasonOf(err) != "put-back" {
		t.Errorf("the release that was left: %v", err)
	}
}

func TestRollbackEndsATrial(t *testing.T) {
	f := newFleet(t)
	for _, booted := range []bool{false, true} {
		s := f.site(t)
		s.onto(f.one)
		if _, err := s.apply(f.two); err != nil {
			t.Fatal(err)
		}
		want := ResultRolledBack
		if booted {
			s.world.machine.boot(t)
			want = ResultArmed
		}
		res, err := s.Rollback(t.Context(), RollbackOptions{})
		if err != nil || res.Result != want {
			t.Fatalf("booted %v: %+v, %v", booted, res, err)
		}
		if booted {
			s.world.machine.boot(t)
			s.confirm("rolled-back")
		}
		s.runs(&f.one, slot.B)
	}
}

func TestNoRebootForAnUnchangedSystem(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.two)
	boots := s.world.machine.boots
	s.onto(f.same)
	s.runs(&f.same, slot.B)
	s.onto(f.bare)
	s.runs(&f.bare, slot.B)
	if s.world.machine.boots != boots {
		t.Error("the machine was booted for nothing")
	}
	if s.root(slot.B) != "root 2" {
		t.Errorf("slot B holds %q", s.root(slot.B))
	}
	if res, err := s.Rollback(t.Context(), RollbackOptions{}); err != nil || res.Result != ResultRolledBack {
		t.Errorf("%+v, %v", res, err)
	}
	s.runs(&f.same, slot.B)
}

func TestSystemForASiteWithoutSlots(t *testing.T) {
	f := newFleet(t)
	s := newTestSite(t, f.factory, newWorld())
	if _, err := s.apply(f.one); reasonOf(err) != "os" {
		t.Error(err)
	}
}

func TestLoaderThatCannotBeWritten(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	s.world.machine.readOnly = true
	before := s.root(slot.A)
	if _, err := s.apply(f.two); reasonOf(err) != "loader" {
		t.Error(err)
	}
	if s.root(slot.A) != before {
		t.Error("the slot was written to")
	}
	s.runs(&f.one, slot.B)
}

// greenboot-rs#173: nobody in the new slot says that it is good.
func TestNobodyConfirms(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	if res, err := s.Overdue(t.Context()); err != nil || res.Result != ResultNothing {
		t.Errorf("before the reboot: %+v, %v", res, err)
	}
	s.world.machine.boot(t)
	if _, err := s.Overdue(t.Context()); reasonOf(err) != "reboot" {
		t.Errorf("%v", err)
	}
	s.world.machine.boot(t)
	s.confirm("rolled-back")
	s.runs(&f.one, slot.B)
	if last := s.status().LastAttempted; !strings.Contains(last.Reason, "nobody confirmed it") {
		t.Errorf("%+v", last)
	}
}

// A new operating system whose cluster does not start: the trial waits for it, and ends before its deadline with one try taken, not
// by a timer that finds the site locked.
func TestNoClusterAfterTheBoot(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	o := &outage{}
	patience := bundle.Duration(10 * time.Millisecond)
	s.cfg.Spec.Target = TargetConfig{Kubernetes: &KubernetesConfig{Kubeconfig: "/k", Patience: &patience}}
	s.deps.OpenTarget = func(context.Context) (Target, error) { return flaky{cluster{s.world}, o}, nil }
	s.onto(f.one)
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	*o = outage{"tell its version", always}
	s.world.machine.boot(t)
	s.confirm("target") // it may still be starting
	patience = bundle.Duration(time.Hour)
	s.deps.Uptime = func() (time.Duration, error) { return defaultDeadline - verdictTime - time.Second, nil }
	began := time.Now()
	s.confirm("reboot")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s, and its time was over in a second", took)
	}
	*o = outage{}
	s.world.machine.boot(t)
	s.confirm("rolled-back")
	s.runs(&f.one, slot.B)
	if last := s.status().LastAttempted; !strings.Contains(last.Reason, "connection refused; its trial had to end within 15m0s of the boot") {
		t.Errorf("%+v", last)
	}
	if left := s.world.machine.states[slot.A]; left.Verdict != slot.Bad {
		t.Errorf("slot A is %+v", left)
	}
}

func TestStagedSystem(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	if _, err := s.Stage(t.Context(), f.two.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	if st := s.world.machine.states[slot.A]; st.Verdict != slot.Bad {
		t.Errorf("a slot that was written to is %s", st.Verdict)
	}
	res, err := s.ApplyStaged(t.Context(), Options{})
	if err != nil || res.Result != ResultArmed {
		t.Fatalf("%+v, %v", res, err)
	}
	s.world.machine.boot(t)
	s.confirm("")
	s.runs(&f.two, slot.A)
}

// The power goes after the last check and before the loader is told, in the last try: the release that was good is not what runs.
func TestCutBeforeTheCommit(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	m := s.world.machine
	m.boot(t)
	m.readOnly = true
	if _, err := s.Confirm(t.Context()); err == nil || s.status().Phase != Good {
		t.Fatalf("%v, phase %s", err, s.status().Phase)
	}
	m.readOnly = false
	m.states[slot.A] = slot.State{Verdict: slot.Trial}
	m.boot(t)
	s.confirm("rolled-back")
	s.runs(&f.one, slot.B)
	if last := s.status().LastAttempted; !strings.Contains(last.Reason, "before it was committed") {
		t.Errorf("%+v", last)
	}
	s.onto(f.two) // it is not known bad
	s.runs(&f.two, slot.A)
}
