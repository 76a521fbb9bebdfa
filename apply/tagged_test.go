package apply

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/bundle"
)

// A tag that is moved while a release is on trial fails the image check: by names, other images would run.
func TestImageCheckComparesTags(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	s.deps.RunChecks = func(ctx context.Context, checks []bundle.Check, env check.Env) ([]check.Result, bool, error) {
		s.deps.RunChecks = w.runChecks // those of the way back find all well
		moved := slices.Sorted(maps.Keys(w.tags))[0]
		right := w.tags[moved]
		w.tags[moved] = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
		defer func() { w.tags[moved] = right }()
		return w.runChecks(ctx, checks, env)
	}
	_, err := s.apply(r.two)
	if reasonOf(err) != "rolled-back" || !strings.Contains(err.Error(), "tag of ") {
		t.Errorf("error %v", err)
	}
	if tagged, err := s.Tagged(); err != nil || tagged.Version != "1.0.0" {
		t.Errorf("the tags are those of %v, %v", tagged, err)
	}
}
