package apply

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/kube"
)

// sticky is a cluster of which workloads wait for broken Pods, one after the other.
type sticky struct {
	cluster
	broken *[]string
	asked  *[]bool // for crashed ones only
	err    error
}

func (s sticky) Unstick(_ context.Context, _ kube.Objects, crashed bool) (done kube.Unstuck, err error) {
	*s.asked = append(*s.asked, crashed)
	if s.err != nil || len(*s.broken) == 0 {
		return done, s.err
	}
	id := kube.ID{Version: "v1", Kind: "Pod", Namespace: "shop", Name: (*s.broken)[0]}
	*s.broken = (*s.broken)[1:]
	return kube.Unstuck{Deleted: []kube.Change{{ID: id, Action: kube.Recreated, Note: "it is not ready"}}, More: true}, nil
}

// Pods that keep the former release from coming back go one after the other, each told, before its checks are asked.
func TestRollbackUnsticks(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	broken, asked := []string{"db-1", "db-0"}, []bool{}
	s.deps.OpenTarget = func(context.Context) (Target, error) { return sticky{cluster{w}, &broken, &asked, nil}, nil }
	w.failing = func(version string) bool { return version == "2.0.0" || len(broken) > 0 }
	// The trial itself has none to get rid of: these break by it.
	first := broken
	broken = nil
	s.deps.Observe = func(e Event) {
		s.said = append(s.said, e)
		if e.Label == "rolling" {
			broken, asked = first, nil
		}
	}
	if _, err := s.apply(r.two); reasonOf(err) != "rolled-back" {
		t.Fatalf("got %v", err)
	}
	if !s.hears("Pod shop/db-1 deleted: it is not ready") || !s.hears("Pod shop/db-0 deleted: ") {
		t.Errorf("said %v", s.said)
	}
	if len(asked) != 3 || slices.Contains(asked, true) {
		t.Errorf("asked %v: what ran before is known to be good, so every Pod that is not ready may go", asked)
	}
	asked = nil
	s.must(r.three)
	if len(asked) == 0 || slices.Contains(asked, false) {
		t.Errorf("asked %v: of a release that never ran, nobody knows", asked)
	}
}

// That it cannot be done is said; the checks decide.
func TestUnstickFails(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	var asked []bool
	s.deps.OpenTarget = func(context.Context) (Target, error) {
		return sticky{cluster{w}, nil, &asked, errors.New("may not delete pods")}, nil
	}
	s.must(r.one)
	if !s.hears("a workload may wait for its own broken Pod: may not delete pods") {
		t.Errorf("said %v", s.said)
	}
}
