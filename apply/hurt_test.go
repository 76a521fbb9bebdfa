package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// hurtSite is a real site that runs 2.0.0, with 1.0.0 in the other slot and a server that both work with.
type hurtSite struct {
	*realSite
	one, two, three sealed
	c1, c2          *content
}

func newHurtSite(t *testing.T) *hurtSite {
	t.Helper()
	f := newFactory(t)
	h := &hurtSite{realSite: newRealSite(t, f)}
	h.cfg.path = filepath.Join(filepath.Dir(h.cfg.Spec.State), "site.yaml")
	h.c1, _ = realRelease(t, "1.0.0", 1, h.server.URL)
	h.c2, _ = realRelease(t, "2.0.0", 2, h.server.URL)
	c3, _ := realRelease(t, "2.5.0", 3, h.server.URL)
	h.one, h.two, h.three = f.seal(t, h.c1), f.seal(t, h.c2), f.seal(t, c3)
	for _, b := range []sealed{h.one, h.two} {
		if _, err := h.apply(b); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *hurtSite) state(names ...string) string {
	return filepath.Join(append([]string{h.cfg.Spec.State}, names...)...)
}

// blob is a file of the mirror that has the bytes of a layer of 2.0.0 only.
func (h *hurtSite) blob() string {
	d := h.two.descriptor.Images[0].Manifests[0].Layers[1]
	return filepath.Join(h.cfg.Spec.Mirror.Dir, "docker/registry/v2/blobs/sha256", d.Encoded()[:2], d.Encoded(), "data")
}

func remove(paths ...string) error {
	var errs []error
	for _, p := range paths {
		errs = append(errs, os.RemoveAll(p))
	}
	return errors.Join(errs...)
}

// dropDamaged is what mirror fsck --repair does first.
func (h *hurtSite) dropDamaged(ctx context.Context, releases []*bundle.Descriptor) error {
	m, done, err := h.OpenMirror(ctx)
	if err != nil {
		return err
	}
	report, err := mirror.Fsck(ctx, m, releases)
	if err == nil {
		err = mirror.DropDamaged(ctx, m, report)
	}
	return errors.Join(err, done())
}

func truncate(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, st.Size()/2)
}

// TestHurtSites: whatever is lost or damaged, status says so in a sentence and names the command that helps, the command
// does help, and what the site runs is never older afterwards.
func TestHurtSites(t *testing.T) {
	apply := func(h *hurtSite) error { _, err := h.apply(h.two); return err }
	stage := func(h *hurtSite) error {
		_, err := h.Stage(context.Background(), h.two.input(), Options{})
		return err
	}
	repair := func(b func(h *hurtSite) sealed) func(h *hurtSite) error {
		return func(h *hurtSite) error {
			_, err := h.Repair(context.Background(), b(h).input(), func(context.Context, []*bundle.Descriptor) error { return nil })
			return err
		}
	}
	both := func(h *hurtSite) error {
		return errors.Join(apply(h), repair(func(h *hurtSite) sealed { return h.one })(h))
	}
	previous := repair(func(h *hurtSite) sealed { return h.one })
	current := repair(func(h *hurtSite) sealed { return h.two })
	const (
		byApply  = "sallyport apply BUNDLE, with a bundle of store-platform 2.0.0"
		byRepair = "sallyport mirror fsck --repair BUNDLE, with a bundle of store-platform 1.0.0"
		anyFull  = "sallyport apply BUNDLE, with a full bundle of the release that ran here"
	)
	for name, c := range map[string]struct {
		hurt func(h *hurtSite) error
		says string // the problem that status tells first
		mend string // the command it names
		help func(h *hurtSite) error
		back bool // the way back to 1.0.0 is whole afterwards
	}{
		"current slot gone":       {func(h *hurtSite) error { return remove(h.state("slots/b")) }, "2.0.0 is lost: slot B", byApply, apply, true},
		"current slot, staging":   {func(h *hurtSite) error { return remove(h.state("slots/b")) }, "2.0.0 is lost: slot B", byApply, stage, true},
		"current slot, fsck":      {func(h *hurtSite) error { return remove(h.state("slots/b")) }, "2.0.0 is lost: slot B", byApply, current, true},
		"current slot cut":        {func(h *hurtSite) error { return truncate(h.state("slots/b/objects.yaml")) }, "2.0.0 is lost: slot B is damaged: objects.yaml", byApply, apply, true},
		"current slot half there": {func(h *hurtSite) error { return remove(h.state("slots/b/slot.json")) }, "slot.json: it is missing", byApply, apply, true},
		"previous slot gone":      {func(h *hurtSite) error { return remove(h.state("slots/a")) }, "1.0.0 is lost: slot A", byRepair, previous, true},
		"previous slot cut":       {func(h *hurtSite) error { return truncate(h.state("slots/a/report.json")) }, "1.0.0 is lost: slot A", byRepair, previous, true},
		"both slots gone":         {func(h *hurtSite) error { return remove(h.state("slots")) }, "2.0.0 is lost: slot B", byApply, both, true},
		"a file for a slot": {func(h *hurtSite) error {
			return errors.Join(remove(h.state("slots/b")), os.WriteFile(h.state("slots/b"), nil, 0o600))
		}, "slot B", byApply, apply, true},
		"record gone":    {func(h *hurtSite) error { return remove(h.state("slots/running")) }, "the record of the slot that runs is lost", byApply, apply, true},
		"record damaged": {func(h *hurtSite) error { return os.WriteFile(h.state("slots/running"), []byte("?"), 0o600) }, "the record", byApply, apply, true},
		"journal gone":   {func(h *hurtSite) error { return remove(h.state("state.json")) }, "is lost (it is missing); by what else there is, store-platform 2.0.0 ran", byApply, apply, true},
		"journal cut":    {func(h *hurtSite) error { return truncate(h.state("state.json")) }, "is lost", byApply, apply, true},
		"journal empty":  {func(h *hurtSite) error { return os.Truncate(h.state("state.json"), 0) }, "is lost", byApply, apply, true},
		"journal, fsck":  {func(h *hurtSite) error { return truncate(h.state("state.json")) }, "is lost", byApply, current, true},
		"journal and history": {func(h *hurtSite) error { return remove(h.state("state.json"), h.state("history.jsonl")) },
			"by what else there is, store-platform 2.0.0 ran", byApply, apply, false},
		"journal and slots": {func(h *hurtSite) error { return remove(h.state("state.json"), h.state("slots")) },
			"by what else there is, store-platform 2.0.0 ran", byApply, apply, false},
		"journal and current slot": {func(h *hurtSite) error { return remove(h.state("state.json"), h.state("slots/b")) },
			"by what else there is, store-platform 2.0.0 ran", byApply, apply, true},
		"journal, history, record": {func(h *hurtSite) error {
			return remove(h.state("state.json"), h.state("history.jsonl"), h.state("slots/running"))
		}, "is lost", anyFull, apply, false},
		"whole state":   {func(h *hurtSite) error { return remove(h.state()) }, "was emptied", anyFull, apply, false},
		"state emptied": {func(h *hurtSite) error { return emptied(h.state()) }, "was emptied", anyFull, apply, false},
		"mirror gone":   {func(h *hurtSite) error { return remove(h.cfg.Spec.Mirror.Dir) }, "the mirror", byApply, both, true},
		"one blob gone": {func(h *hurtSite) error { return remove(h.blob()) }, "the mirror lacks something of 1 of the 1 images of store-platform 2.0.0", byApply, apply, true},
		"one blob cut":  {func(h *hurtSite) error { return truncate(h.blob()) }, "the mirror lacks something of 1 of the 1 images of store-platform 2.0.0", byApply, apply, true},
		"tag gone": {func(h *hurtSite) error {
			return remove(filepath.Join(h.cfg.Spec.Mirror.Dir, "docker/registry/v2/repositories/shop/app/_manifests/tags"))
		}, "the mirror lacks something of 1 of the 1 images of store-platform 2.0.0", byApply, apply, true},
		"mirror and slots": {func(h *hurtSite) error { return remove(h.cfg.Spec.Mirror.Dir, h.state("slots")) }, "2.0.0 is lost", byApply, both, true},
		"state and mirror": {func(h *hurtSite) error { return remove(h.cfg.Spec.Mirror.Dir, h.state()) }, "was emptied", anyFull, apply, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHurtSite(t)
			if err := c.hurt(h); err != nil {
				t.Fatal(err)
			}
			st, err := h.Look(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if !st.NeedsPerson || !strings.Contains(st.Person, c.says) || !strings.HasSuffix(st.Person, ": "+c.mend) {
				t.Errorf("status says %q, want %q and %q", st.Person, c.says, c.mend)
			}
			told := false
			for _, f := range h.Doctor(context.Background(), false) {
				told = told || !f.OK && strings.Contains(f.Mend, c.mend)
			}
			if !told {
				t.Errorf("doctor does not say %q", c.mend)
			}
			if err := c.help(h); err != nil {
				t.Fatalf("%s: %v", c.mend, err)
			}
			h.whole(c.back)
		})
	}
}

func emptied(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// whole checks that nothing is wrong with the site any more, that it runs 2.0.0, goes on to the next release and, if back
// is set, back to 1.0.0 before.
func (h *hurtSite) whole(back bool) {
	h.t.Helper()
	h.runs("2.0.0")
	h.holds(h.two, h.c2)
	st, err := h.Look(context.Background())
	if err != nil || st.NeedsPerson || st.Phase != Idle {
		h.t.Fatalf("afterwards status is %+v (%+v), %v", st, st.Health, err)
	}
	if res, err := h.apply(h.two); err != nil || res.Result != ResultNothing || len(res.Mended) > 0 {
		h.t.Errorf("once more: %+v, %v", res, err)
	}
	if _, err := h.apply(h.one); reasonOf(err) != "sequence" {
		h.t.Errorf("an older release: %v", err)
	}
	if back {
		if _, err := h.Rollback(context.Background(), RollbackOptions{}); err != nil {
			h.t.Fatalf("rollback: %v", err)
		}
		h.runs("1.0.0")
		h.holds(h.one, h.c1)
	}
	if _, err := h.apply(h.three); err != nil {
		h.t.Errorf("the next release: %v", err)
	}
}

// TestHurtFiles damages every single file of state and mirror in two ways. None may lock the site: with a bundle of what
// runs it is whole again.
func TestHurtFiles(t *testing.T) {
	h := newHurtSite(t)
	var files []string
	for _, dir := range []string{h.cfg.Spec.State, h.cfg.Spec.Mirror.Dir} {
		if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && !strings.HasSuffix(path, ".lock") && filepath.Base(path) != "mirror.secret" {
				files = append(files, path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for how, hurt := range map[string]func(string) error{
		"removed": os.Remove,
		"cut":     truncate,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"garbled": func(path string) error {
			b, err := os.ReadFile(path)
			for i := range b {
				b[i] ^= 0x20
			}
			return errors.Join(err, os.WriteFile(path, b, 0o600))
		},
	} {
		for _, file := range files {
			t.Run(fmt.Sprintf("%s/%s", how, strings.TrimPrefix(file, filepath.Dir(h.cfg.Spec.State))), func(t *testing.T) {
				if _, err := os.Stat(file); err != nil {
					t.Skip("it is not there any more")
				}
				if err := hurt(file); err != nil {
					t.Fatal(err)
				}
				for _, b := range []sealed{h.two, h.one} {
					if _, err := h.Repair(context.Background(), b.input(), h.dropDamaged); err != nil && reasonOf(err) != "usage" {
						t.Fatalf("repair with %s: %v", b.release, err)
					}
				}
				if res, err := h.apply(h.two); err != nil || res.Result != ResultNothing {
					t.Fatalf("%+v, %v", res, err)
				}
				st, err := h.Look(context.Background())
				if err != nil || st.NeedsPerson {
					t.Errorf("status is %+v (%+v), %v", st, st.Health, err)
				}
				h.holds(h.two, h.c2)
			})
		}
	}
}

// stuckSite lost the slot of what runs, release two, while it was rolling back to it.
func stuckSite(t *testing.T, r *releases) *testSite {
	t.Helper()
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	s.must(r.two)
	w.failing = func(v string) bool {
		if v == "3.0.0" {
			_ = os.RemoveAll(filepath.Join(s.slotsPath(), "b"))
		}
		return v == "3.0.0"
	}
	if _, err := s.apply(r.three); reasonOf(err) != "person" {
		t.Fatalf("error is %v", err)
	}
	if _, err := s.Confirm(context.Background()); reasonOf(err) != "person" {
		t.Fatalf("error is %v", err)
	}
	return s
}

// A rollback that is stuck goes on once a bundle of what runs has come.
func TestStuckRollbackIsMended(t *testing.T) {
	r := newReleases(t)
	s := stuckSite(t, r)
	res, err := s.apply(r.two)
	if err != nil || res.Result != ResultNothing || len(res.Mended) == 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
	s.must(r.four)
}

// What is staged and damaged is staged anew.
func TestDamagedStagedSlot(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	stage := func() {
		t.Helper()
		if res, err := s.Stage(context.Background(), r.two.input(), Options{}); err != nil || res.Result != ResultStaged {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	stage()
	if err := os.RemoveAll(filepath.Join(s.slotsPath(), "b")); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Look(context.Background()); err != nil || !strings.Contains(st.Person, "sallyport stage BUNDLE, with a bundle of store-platform 2.0.0") {
		t.Errorf("status is %+v, %v", st, err)
	}
	stage()
	if _, err := s.ApplyStaged(context.Background(), Options{}); err != nil {
		t.Fatal(err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
}

// A journal that is lost while objects of ours are on the target leaves none behind when the next release comes.
func TestLostJournalLeavesNoObjects(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	s.must(r.two)
	if err := os.Remove(s.journalPath()); err != nil {
		t.Fatal(err)
	}
	s.must(r.four)
	if p := s.problem(&r.four); p != "" {
		t.Error(p)
	}
}

// Verbs that rely on what was under way do nothing on a site that does not know.
func TestLostJournalStopsOthers(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	if err := os.Truncate(s.journalPath(), 10); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, verb := range map[string]func() error{
		"confirm":  func() error { _, err := s.Confirm(ctx); return err },
		"rollback": func() error { _, err := s.Rollback(ctx, RollbackOptions{}); return err },
		"staged":   func() error { _, err := s.ApplyStaged(ctx, Options{}); return err },
		"gc": func() error {
			return s.Collect(ctx, true, func(context.Context, []*bundle.Descriptor, []*bundle.Descriptor) error {
				t.Error("it collects")
				return nil
			})
		},
	} {
		if err := verb(); reasonOf(err) != "person" || !strings.Contains(err.Error(), "is lost") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(s.journalPath() + ".damaged"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a refused verb has moved the journal")
	}
	if _, err := s.apply(r.two); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.journalPath() + ".damaged"); err != nil {
		t.Error(err)
	}
	if held, err := s.Slots().Load(slot.B); err != nil || held.Digest() != r.two.release.Digest {
		t.Errorf("slot B: %v", err)
	}
}
