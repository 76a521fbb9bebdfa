package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/verify"
)

// testSite is a site in a temporary folder, with a world around it.
type testSite struct {
	*Site
	t     *testing.T
	world *world
	said  []Event
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newTestSite(t *testing.T, f *factory, w *world) *testSite {
	t.Helper()
	return siteAt(t, filepath.Join(t.TempDir(), "state"), f, w)
}

func siteAt(t *testing.T, state string, f *factory, w *world) *testSite {
	t.Helper()
	cfg := &Config{Metadata: Metadata{Name: "store-0142", Labels: map[string]string{"region": "emea"}},
		Spec: Spec{State: state, Platform: "linux/amd64", Mirror: MirrorConfig{URL: "http://127.0.0.1:5000"}}}
	s := &testSite{t: t, world: w}
	s.Site = New(cfg, Deps{
		Disk:       w.faults.Disk(),
		OpenMirror: func(context.Context) (Mirror, func() error, error) { return w, func() error { return nil }, nil },
		OpenTarget: func(context.Context) (Target, error) { return cluster{w}, nil },
		LoadTrust:  func() (*verify.Trust, error) { return f.trust, nil },
		Scrub:      w.scrub,
		Drop:       w.drop,
		RunChecks:  w.runChecks,
		Workers:    1,
		Now:        func() time.Time { return noon },
		Observe:    func(e Event) { s.said = append(s.said, e) },
	})
	if w.machine != nil {
		w.machine.faults = w.faults
		s.withMachine()
	}
	return s
}

func (s *testSite) apply(b sealed) (*Result, error) {
	return s.Apply(context.Background(), b.input(), Options{})
}

// must applies a release that has to be committed.
func (s *testSite) must(b sealed) *Result {
	s.t.Helper()
	res, err := s.apply(b)
	if err != nil {
		s.t.Fatalf("apply %s: %v", b.release, err)
	}
	if res.Result != ResultCommitted && res.Result != ResultNothing {
		s.t.Fatalf("apply %s: result %s", b.release, res.Result)
	}
	return res
}

func (s *testSite) status() *Status {
	s.t.Helper()
	st, err := s.Status()
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

// problem says in what the site differs from one that runs exactly the release, or nothing if want is nil. It is
// empty for a sound site.
func (s *testSite) problem(want *sealed) string {
	s.t.Helper()
	st := s.status()
	if st.Phase != Idle && st.Phase != Written {
		return fmt.Sprintf("phase is %s", st.Phase)
	}
	slots := s.Slots()
	running, err := slots.NoBackend().Running(context.Background())
	if err != nil {
		return err.Error()
	}
	if want == nil {
		if st.Current != nil || len(s.world.objects) != 0 || running != slot.None {
			return fmt.Sprintf("not empty: current %v, objects %v, slot %s runs", st.Current, s.world.objects, running)
		}
		return ""
	}
	switch {
	case st.Current == nil:
		return "no release is current"
	case st.Current.Digest != want.release.Digest:
		return fmt.Sprintf("current is %s", st.Current)
	case running != st.Current.Slot:
		return fmt.Sprintf("slot %s runs, current is in %s", running, st.Current.Slot)
	}
	if text := s.world.differs(want); text != "" {
		return text
	}
	for _, rel := range []*Release{st.Current, st.Previous} {
		if rel == nil || st.Phase == Written && rel == st.Previous {
			continue
		}
		held, err := slots.Load(rel.Slot)
		if err != nil {
			return err.Error()
		}
		if _, err := openRelease(*rel, held); err != nil {
			return err.Error()
		}
	}
	return ""
}

// differs says in what the cluster and the mirror differ from what the release wants.
func (w *world) differs(want *sealed) string {
	ids, _ := parseObjects(kube.Objects{YAML: want.yaml})
	if len(ids) != len(w.objects) {
		return fmt.Sprintf("the cluster has %v", w.objects)
	}
	for _, id := range ids {
		if w.objects[id] != want.release.Version {
			return fmt.Sprintf("the cluster has %v", w.objects)
		}
	}
	for _, img := range want.descriptor.Images {
		if w.tags[img.Name] != img.Digest {
			return fmt.Sprintf("the tag of %s is %s, not %s", img.Name, w.tags[img.Name], img.Digest)
		}
		sizes := map[digest.Digest]int64{}
		for _, b := range want.descriptor.Blobs {
			sizes[b.Digest] = b.Size
		}
		if err := w.CheckImage(context.Background(), img, sizes, nil); err != nil {
			return err.Error()
		}
	}
	return ""
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "state")
	if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
		return to
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestMain keeps the many small files of these tests in memory where that is possible.
func TestMain(m *testing.M) {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" {
		_ = os.Setenv("TMPDIR", "/dev/shm")
	}
	os.Exit(m.Run())
}
