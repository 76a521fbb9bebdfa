package apply

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
)

// What a switch needs is asked for before anything is loaded, and again before the switch.
func TestNotReady(t *testing.T) {
	r := newReleases(t)
	for _, tt := range []struct {
		name, reason string
		spoil        func(*testSite)
		mend         func(*testSite)
	}{
		{"target that cannot be written", "unusable",
			func(s *testSite) { s.world.unready = errUnready }, func(s *testSite) { s.world.unready = nil }},
		{"target that does not answer", "target",
			func(s *testSite) { s.world.down = true }, func(s *testSite) { s.world.down = false }},
		{"no folder of checks", "checks",
			func(s *testSite) { s.cfg.Spec.ChecksDir = filepath.Join(s.t.TempDir(), "checks.d") }, func(s *testSite) { s.cfg.Spec.ChecksDir = "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestSite(t, r.factory, newWorld())
			tt.spoil(s)
			if _, err := s.apply(r.one); reasonOf(err) != tt.reason {
				t.Errorf("apply: got %v, want %s", err, tt.reason)
			}
			if s.world.pushes > 0 || s.status().LastAttempted != nil {
				t.Errorf("%d blobs were pushed, the last attempt is %+v", s.world.pushes, s.status().LastAttempted)
			}
			if found := s.Doctor(context.Background(), false); !slices.ContainsFunc(found, func(f Finding) bool { return !f.OK && f.Name != "room" }) {
				t.Errorf("doctor finds %+v", found)
			}
			// Whoever stages has time to mend it, and is told.
			if _, err := s.Stage(context.Background(), r.one.input(), Options{}); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(s.said, func(e Event) bool { return strings.HasPrefix(e.Text, "to be mended before the switch") }) {
				t.Errorf("stage said %v", s.said)
			}
			if _, err := s.ApplyStaged(context.Background(), Options{}); reasonOf(err) != tt.reason {
				t.Errorf("apply --staged: got %v, want %s", err, tt.reason)
			}
			if st := s.status(); st.Phase != Written || st.NeedsPerson || len(s.world.tags) > 0 {
				t.Errorf("afterwards: phase %s, tags %v", st.Phase, s.world.tags)
			}
			tt.mend(s)
			s.must(r.one)
		})
	}
}

// unwritable breaks between the look at it and the first write.
type unwritable struct{ cluster }

func (unwritable) Apply(context.Context, kube.Objects, kube.Inventory) (kube.Inventory, []kube.Change, error) {
	return kube.Inventory{}, nil, errUnready
}

func (unwritable) Prune(context.Context, kube.Inventory, kube.Inventory) ([]kube.Change, error) {
	return nil, errUnready
}

// A release that could not be put on the target is not to blame, and a rollback that waited for the target ends as if
// nothing had been: the same apply goes on to try the release anew.
func TestReleaseIsNotToBlame(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	if _, err := s.Stage(context.Background(), r.one.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	good := s.deps.OpenTarget
	s.deps.OpenTarget = func(context.Context) (Target, error) { return unwritable{cluster{s.world}}, nil }
	_, err := s.ApplyStaged(context.Background(), Options{})
	if reasonOf(err) != "person" || s.status().Phase != RollingBack {
		t.Fatalf("got %v in phase %s", err, s.status().Phase)
	}
	s.deps.OpenTarget = good
	s.must(r.one)
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
}

// At boot a site is up before its cluster. A trial that the power cut waits for the cluster: it is neither passed nor
// failed, and not counted.
func TestTrialWaitsForItsTarget(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	ctx, cancel := context.WithCancel(context.Background())
	s.deps.RunChecks = func(context.Context, []bundle.Check, check.Env) ([]check.Result, bool, error) {
		cancel()
		return nil, false, ctx.Err()
	}
	if _, err := s.Apply(ctx, r.two.input(), Options{}); reasonOf(err) != "interrupted" {
		t.Fatal(err)
	}
	s.deps.RunChecks, s.world.down = s.world.runChecks, true
	for range maxTries + 1 {
		if _, err := s.Confirm(context.Background()); reasonOf(err) != "target" {
			t.Fatalf("while the cluster is down: %v", err)
		}
	}
	if st := s.status(); st.Phase != Trial || st.NeedsPerson {
		t.Errorf("status is %+v", st)
	}
	s.world.down = false
	if res, err := s.Confirm(context.Background()); err != nil || res.Result != ResultCommitted {
		t.Errorf("once it is up: %+v, %v", res, err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
}

// A chart's kubeVersion is held against the cluster; a vendor's suffix makes no version an earlier one.
func TestFitsKubernetes(t *testing.T) {
	for _, tt := range []struct {
		want, have string
		ok         bool
	}{
		{">=1.25.0-0", "v1.36.3", true},
		{">=1.25", "v1.36.3+k3s1", true},
		{">=1.30.1", "v1.30.1-eks-036c24b", true},
		{">=1.30.2", "v1.30.1-eks-036c24b", false},
		{"<1.36", "v1.36.3", false},
		{">= 1.25.0 < 1.30.0 || >= 1.36.0", "v1.36.3", true},
		{">=1.99", "", true}, // a folder has no version
		{">=1.99", "unknown", true},
	} {
		d := &bundle.Descriptor{Name: "store", Version: "2.0.0", Requires: &bundle.Requires{Kubernetes: []string{tt.want}}}
		if err := fitsKubernetes(d, tt.have); (err == nil) != tt.ok || err != nil && reasonOf(err) != "requires" {
			t.Errorf("%s on %s: %v", tt.want, tt.have, err)
		}
	}
}
