package apply

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// markedSite is a site with a site.yaml, so that its state folder is noted beside it.
func markedSite(t *testing.T, r *releases) *testSite {
	t.Helper()
	s := newTestSite(t, r.factory, newWorld())
	s.cfg.path = filepath.Join(t.TempDir(), "site.yaml")
	return s
}

// A state folder whose disk is not mounted is not that of a new site: nothing is written there, and everybody says so.
func TestUnmountedState(t *testing.T) {
	r := newReleases(t)
	s := markedSite(t, r)
	s.must(r.one)
	s.must(r.two)
	// As if the folder had been on a disk of its own, which is gone.
	id, _, _ := strings.Cut(string(read(t, s.notePath())), " ")
	if err := os.WriteFile(s.notePath(), []byte(note{id, "/data"}.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	aside := s.cfg.Spec.State + ".disk"
	if err := os.Rename(s.cfg.Spec.State, aside); err != nil {
		t.Fatal(err)
	}
	for name, verb := range map[string]func() error{
		"apply":    func() error { _, err := s.apply(r.one); return err },
		"rollback": func() error { _, err := s.Rollback(context.Background(), RollbackOptions{}); return err },
		"confirm":  func() error { _, err := s.Confirm(context.Background()); return err },
	} {
		if err := verb(); reasonOf(err) != "unmounted" || !strings.Contains(err.Error(), "is not mounted: it was at /data") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(s.cfg.Spec.State); err == nil {
		t.Error("the state folder was made anew")
	}
	if st, err := s.Look(context.Background()); err != nil || !st.NeedsPerson || !strings.Contains(st.Person, "mount /data") {
		t.Errorf("status is %+v, %v", st, err)
	}
	if f := s.stateWritable(); f.OK || !strings.Contains(f.Mend, "mount /data") {
		t.Errorf("doctor says %+v", f)
	}
	// Mounted again, all is as it was; the note follows the folder to its new place.
	if err := os.Rename(aside, s.cfg.Spec.State); err != nil {
		t.Fatal(err)
	}
	s.must(r.two)
	if n := s.readNote(); n == nil || n.mount != mountOf(s.cfg.Spec.State) {
		t.Errorf("the note is %v", n)
	}
}

// The disk of another site in its place is refused too, until a person says that it is to be this one's.
func TestForeignState(t *testing.T) {
	r := newReleases(t)
	s, other := markedSite(t, r), markedSite(t, r)
	s.must(r.two)
	other.must(r.one)
	s.cfg.Spec.State = other.cfg.Spec.State
	if _, err := s.apply(r.four); reasonOf(err) != "unmounted" || !strings.Contains(err.Error(), "its marker is another one") {
		t.Fatalf("error is %v", err)
	}
	if err := s.InitState(); err != nil {
		t.Fatal(err)
	}
	s.must(r.four)
}

// A state that is lost for good with its disk: a person says so, and the site begins anew.
func TestInitState(t *testing.T) {
	r := newReleases(t)
	s := markedSite(t, r)
	if err := s.InitState(); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Look(context.Background()); err != nil || st.NeedsPerson {
		t.Errorf("a new site needs a person: %+v, %v", st, err)
	}
	s.must(r.one)
	if err := os.WriteFile(s.notePath(), []byte(note{s.readMarker(), "/data"}.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.cfg.Spec.State); err != nil {
		t.Fatal(err)
	}
	if _, err := s.apply(r.one); reasonOf(err) != "unmounted" {
		t.Fatalf("error is %v", err)
	}
	if err := s.InitState(); err != nil {
		t.Fatal(err)
	}
	s.must(r.one)
}

// A folder for site.yaml that cannot be written costs the protection and nothing else.
func TestNoteCannotBeWritten(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.cfg.path = filepath.Join(t.TempDir(), "absent", "site.yaml")
	s.must(r.one)
	s.must(r.two)
}

// Doctor writes nothing, neither on a new site nor on one that runs.
func TestDoctorWritesNothing(t *testing.T) {
	f := newFactory(t)
	s := newRealSite(t, f)
	dir := filepath.Dir(s.cfg.Spec.State)
	unchanged := func(when string) {
		t.Helper()
		before := listing(t, dir)
		s.Doctor(context.Background(), false)
		if _, err := s.Look(context.Background()); err != nil {
			t.Error(err)
		}
		if after := listing(t, dir); after != before {
			t.Errorf("%s: there was\n%sand is\n%s", when, before, after)
		}
	}
	unchanged("new")
	c, _ := realRelease(t, "1.0.0", 1, s.server.URL)
	if _, err := s.apply(f.seal(t, c)); err != nil {
		t.Fatal(err)
	}
	unchanged("running")
}

// listing names every file below dir with its size and time.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	if err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			b.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
