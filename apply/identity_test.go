package apply

import (
	"context"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

// variant is another bundle of a release: built on another day, and good for longer.
func (r *releases) variant(t *testing.T, version string, sequence uint64, objects ...string) sealed {
	t.Helper()
	c := newContent(version, sequence)
	c.image(t, "registry.example.com/app:stable", []byte("shared layer"), []byte("app layer "+version))
	c.image(t, "registry.example.com/tools/printer:1", []byte("shared layer"))
	c.configMaps(objects...)
	c.d.Created = c.d.Created.Add(24 * time.Hour)
	expires := noon.Add(time.Hour)
	c.d.Expires = &expires
	return r.seal(t, c)
}

// One release in two bundles is one release: the second has nothing to do, and the way back leads to the release before.
func TestVariantOfWhatRunsDoesNothing(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	again := r.variant(t, "2.0.0", 2, "b", "c")
	if again.release.Digest == r.two.release.Digest || again.release.Identity != r.two.release.Identity {
		t.Fatalf("%+v is no variant of %+v", again.release, r.two.release)
	}
	for name, verb := range map[string]func() (*Result, error){
		"apply": func() (*Result, error) { return s.apply(again) },
		"stage": func() (*Result, error) { return s.Stage(context.Background(), again.input(), Options{}) },
	} {
		if res, err := verb(); err != nil || res.Result != ResultNothing {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
	}
	if f, err := s.DryRun(context.Background(), again.input(), Options{}); err != nil || !f.Runs {
		t.Errorf("dry run: %+v, %v", f, err)
	}
	res, err := s.Rollback(context.Background(), RollbackOptions{})
	if err != nil || s.status().Current.Version != "1.0.0" {
		t.Fatalf("rollback went to %v: %+v, %v", s.status().Current, res, err)
	}
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
}

func TestVariantOfWhatIsStaged(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	if _, err := s.Stage(context.Background(), r.two.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	again := r.variant(t, "2.0.0", 2, "b", "c")
	res, err := s.Stage(context.Background(), again.input(), Options{})
	if err != nil || res.Result != ResultStaged || res.Release.Digest != r.two.release.Digest {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err := s.apply(again); err != nil || res.Result != ResultCommitted || res.Bytes.Pushed != 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

// What was staged has expired, and the factory has issued the release again: the later bundle takes its place.
func TestLaterVariantReplacesAnExpiredOne(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	early := r.variant(t, "2.0.0", 2, "b", "c")
	if _, err := s.Stage(context.Background(), early.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	s.deps.Now = func() time.Time { return noon.Add(2 * time.Hour) }
	if _, err := s.ApplyStaged(context.Background(), Options{}); reasonOf(err) != "expired" {
		t.Fatalf("what is staged: %v", err)
	}
	if res, err := s.apply(r.two); err != nil || res.Release.Digest != r.two.release.Digest {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestVariantOfABadRelease(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	w.failing = func(v string) bool { return v == "2.0.0" }
	if _, err := s.apply(r.two); reasonOf(err) != "rolled-back" {
		t.Fatal(err)
	}
	if _, err := s.apply(r.variant(t, "2.0.0", 2, "b", "c")); reasonOf(err) != "bad" {
		t.Errorf("another bundle of a release that failed here: %v", err)
	}
	// It was never committed, so the factory may mend it without a new sequence.
	w.failing = func(string) bool { return false }
	s.must(r.make(t, "2.0.1", 2, "b", "c"))
}

// The full bundle of a release repairs a site to which it came as a delta.
func TestRepairTakesAnyVariant(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.two)
	clear(w.blobs)
	full := r.variant(t, "2.0.0", 2, "b", "c")
	res, err := s.Repair(context.Background(), full.input(), func(context.Context, []*bundle.Descriptor) error { return nil })
	if err != nil || res.Bytes.Pushed == 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
}
