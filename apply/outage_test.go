package apply

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
)

// outage lets so many calls of one kind find nobody.
type outage struct {
	call string
	left int
}

// flaky is a cluster with outages.
type flaky struct {
	cluster
	*outage
}

func (f flaky) ask(call string) error {
	if f.call != call || f.left == 0 {
		return nil
	}
	f.left--
	return &kube.TargetError{Target: "https://cluster", Doing: call, Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
}

func (f flaky) Ready(ctx context.Context, prev kube.Inventory) (string, error) {
	if err := f.ask("tell its version"); err != nil {
		return "", err
	}
	return f.cluster.Ready(ctx, prev)
}

func (f flaky) Apply(ctx context.Context, want kube.Objects, prev kube.Inventory) (kube.Inventory, []kube.Change, error) {
	if err := f.ask("apply"); err != nil {
		return kube.Inventory{}, nil, err
	}
	return f.cluster.Apply(ctx, want, prev)
}

func (f flaky) Health(ctx context.Context, want kube.Objects) ([]kube.ObjectStatus, error) {
	if err := f.ask("look"); err != nil {
		return nil, err
	}
	return f.cluster.Health(ctx, want)
}

// patient is a site with a check of its objects, of which the target may be away, and which waits for it for so long.
func patient(t *testing.T, r *releases, w *world, patience time.Duration, o *outage) *testSite {
	t.Helper()
	s := newTestSite(t, r.factory, w)
	d := bundle.Duration(patience)
	s.cfg.Spec.Target.Kubernetes = &KubernetesConfig{Kubeconfig: "/k", Patience: &d}
	s.deps.OpenTarget = func(context.Context) (Target, error) { return flaky{cluster{w}, o}, nil }
	s.deps.RunChecks = func(ctx context.Context, _ []bundle.Check, env check.Env) ([]check.Result, bool, error) {
		c := bundle.Check{Name: "ready", Kubernetes: &bundle.KubernetesCheck{Wait: "all"}, Timeout: bundle.Duration(time.Second)}
		return check.Run(ctx, []bundle.Check{c}, env)
	}
	return s
}

func (s *testSite) hears(text string) bool {
	return slices.ContainsFunc(s.said, func(e Event) bool { return strings.Contains(e.Text, text) })
}

const always = 1 << 30

// An outage that is shorter than the site's patience ends no release, whatever it cuts short.
func TestShortOutageEndsNoRelease(t *testing.T) {
	r := newReleases(t)
	for _, call := range []string{"apply", "look"} {
		t.Run(call, func(t *testing.T) {
			o := &outage{}
			s := patient(t, r, newWorld(), time.Minute, o)
			s.must(r.one)
			*o = outage{call, 1}
			s.must(r.two)
			if o.left != 0 || !s.hears("connection refused") {
				t.Errorf("nobody was away (%d), or nobody says so: %v", o.left, s.said)
			}
			if p := s.problem(&r.two); p != "" {
				t.Error(p)
			}
		})
	}
}

// A longer one does, and is no fault of the release: it may be applied again.
func TestLongOutageIsNoFaultOfTheRelease(t *testing.T) {
	r := newReleases(t)
	for _, call := range []string{"apply", "look"} {
		t.Run(call, func(t *testing.T) {
			o := &outage{}
			s := patient(t, r, newWorld(), 50*time.Millisecond, o)
			s.must(r.one)
			*o = outage{call, always}
			if _, err := s.apply(r.two); err == nil || !s.hears("connection refused") {
				t.Fatalf("got %v, %v", err, s.said)
			}
			*o = outage{}
			s.must(r.two)
		})
	}
}

// Before anything is touched nobody waits.
func TestPreflightDoesNotWait(t *testing.T) {
	r := newReleases(t)
	o := &outage{}
	s := patient(t, r, newWorld(), time.Hour, o)
	s.must(r.one)
	*o = outage{"tell its version", always}
	began := time.Now()
	if _, err := s.apply(r.two); reasonOf(err) != "target" {
		t.Errorf("got %v", err)
	}
	if f := s.targetAnswers(t.Context()); f.OK {
		t.Error("doctor found the target well")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestInterruptedWhileTheTargetIsAway(t *testing.T) {
	r := newReleases(t)
	for _, call := range []string{"apply", "look"} {
		t.Run(call, func(t *testing.T) {
			o := &outage{}
			s := patient(t, r, newWorld(), time.Hour, o)
			s.must(r.one)
			*o = outage{call, always}
			ctx, cancel := context.WithCancel(t.Context())
			var pressed time.Time
			time.AfterFunc(300*time.Millisecond, func() { pressed = time.Now(); cancel() })
			_, err := s.Apply(ctx, r.two.input(), Options{})
			if took := time.Since(pressed); reasonOf(err) != "interrupted" || took > 20*time.Second {
				t.Errorf("got %v after %s", err, took)
			}
			if phase := s.status().Phase; phase != Trial {
				t.Errorf("the phase is %s", phase)
			}
		})
	}
}

// What has to be said of objects that are well is said once; what a check waits for is said while it waits.
func TestChecksTellWhatTheyWaitFor(t *testing.T) {
	s := newTestSite(t, newFactory(t), newWorld())
	tell := &teller{run: &run{Site: s.Site}, noted: map[string]bool{}}
	var all []kube.ObjectStatus
	for i := range maxNotes + 2 {
		all = append(all, kube.ObjectStatus{ID: kube.ID{Kind: "K", Name: strconv.Itoa(i)}, Status: kube.Current, Note: "it is paused"})
	}
	all = append(all, kube.ObjectStatus{ID: kube.ID{Kind: "K", Name: "quiet"}})
	tell.notes(all)
	tell.notes(all)
	if len(s.said) != maxNotes+1 || s.said[0].Text != "K 0: it is paused" || !s.hears("and 2 more") {
		t.Errorf("said %v", s.said)
	}
	s.said = nil
	for i, last := range []string{"Ready: 0/3", "Ready: 1/3", "Ready: 2/3"} {
		tell.check(check.Event{Name: "c", Want: 1, Tries: i + 1, Last: last, Left: time.Minute})
	}
	if len(s.said) != 1 || s.said[0].Text != "c waits (1m0s left): Ready: 1/3" {
		t.Errorf("said %v", s.said)
	}
	tell.told = time.Time{}
	tell.check(check.Event{Name: "c", Want: 1, Tries: 3, Last: "Ready: 1/3"})
	tell.check(check.Event{Name: "c", Want: 1, Tries: 4, Last: "no pod is made"})
	if len(s.said) != 2 || !s.hears("no pod is made") {
		t.Errorf("said %v", s.said)
	}
}
