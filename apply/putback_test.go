package apply

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
)

// What a person rolled back from does not come again by itself, in whichever bundle and by whichever verb.
func TestRollbackIsRemembered(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	ctx := context.Background()
	if _, err := s.Rollback(ctx, RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	again := r.variant(t, "2.0.0", 2, "b", "c")
	for name, verb := range map[string]func() error{
		"apply":   func() error { _, err := s.apply(r.two); return err },
		"variant": func() error { _, err := s.apply(again); return err },
		"stage":   func() error { _, err := s.Stage(ctx, r.two.input(), Options{}); return err },
	} {
		if err := verb(); reasonOf(err) != "put-back" || !strings.Contains(err.Error(), "a person rolled this site back from store-platform 2.0.0 on 2026-11-21") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := s.status(); st.PutBack == nil || st.PutBack.Version != "2.0.0" || !st.PutBack.At.Equal(noon) {
		t.Errorf("status is %+v", st)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
	// Told so, it comes; that forgets it.
	if res, err := s.Apply(ctx, r.two.input(), Options{Retry: true}); err != nil || res.Result != ResultCommitted {
		t.Fatalf("%+v, %v", res, err)
	}
	if st := s.status(); st.PutBack != nil {
		t.Errorf("status is %+v", st)
	}
}

func TestNewerReleaseComesAfterARollback(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	s.must(r.three)
	if st := s.status(); st.PutBack != nil {
		t.Errorf("status is %+v", st)
	}
}

// A person who ends a trial has put the release back, too; a release that failed by itself is another matter.
func TestEndedTrialIsRemembered(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	ctx, cancel := context.WithCancel(context.Background())
	s.deps.RunChecks = interruptedChecks(cancel)
	if _, err := s.Apply(ctx, r.two.input(), Options{}); reasonOf(err) != "interrupted" {
		t.Fatal(err)
	}
	st, err := s.Look(context.Background())
	if err != nil || st.Attempt == nil || st.Attempt.Version != "2.0.0" || st.Phase != Trial || !st.Free || st.NeedsPerson {
		t.Errorf("status is %+v (%+v), %v", st, st.Health, err)
	}
	s.deps.RunChecks = w.runChecks
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.apply(r.two); reasonOf(err) != "put-back" {
		t.Errorf("error is %v", err)
	}
	w.failing = func(v string) bool { return v == "3.0.0" }
	if _, err := s.apply(r.three); reasonOf(err) != "rolled-back" {
		t.Fatal(err)
	}
	if _, err := s.apply(r.three); reasonOf(err) != "bad" {
		t.Errorf("error is %v", err)
	}
}

// status tells from the lock, without taking it, whether anybody is at work.
func TestStatusTellsWhoIsAtWork(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	err := s.Collect(context.Background(), false, func(context.Context, []*bundle.Descriptor, []*bundle.Descriptor) error {
		if h := s.Examine(context.Background()); h.Free || !strings.Contains(h.Busy, "mirror gc") {
			t.Errorf("at work: %+v", h)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if h := s.Examine(context.Background()); !h.Free || h.Busy != "" || len(h.Problems) > 0 {
		t.Errorf("at rest: %+v", h)
	}
}

// silentMirror accepts what it is asked and never answers.
type silentMirror struct{ ImageStore }

func (silentMirror) CheckImage(ctx context.Context, img bundle.Image, _ map[digest.Digest]int64, _ mirror.Raw) error {
	<-ctx.Done()
	return fmt.Errorf("asking for %s: %w", img.Name, ctx.Err())
}

// status tells in words of a mirror that is silent.
func TestStatusOfSilentMirror(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.deps.LookAtMirror = func(context.Context) (ImageStore, func() error, error) {
		return silentMirror{}, func() error { return nil }, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if h := s.Examine(ctx); h.Mirror != "not asked: it did not answer within 5 s" {
		t.Errorf("mirror %q", h.Mirror)
	}
}
