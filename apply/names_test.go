package apply

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
)

// product makes a release of another name, signed by the same key.
func (r *releases) product(t *testing.T, name, version string, sequence uint64) sealed {
	t.Helper()
	c := newContent(version, sequence)
	c.d.Name = name
	c.image(t, "registry.example.com/"+name+":1", []byte("layer of "+name))
	c.configMaps("z")
	return r.seal(t, c)
}

func TestAnotherProductIsRefused(t *testing.T) {
	r := newReleases(t)
	other := r.product(t, "till-software", "9.0.0", 900)
	nothing := func(context.Context, []*bundle.Descriptor) error { return nil }
	for name, verb := range map[string]func(s *testSite) error{
		"apply": func(s *testSite) error { _, err := s.apply(other); return err },
		"stage": func(s *testSite) error { _, err := s.Stage(context.Background(), other.input(), Options{}); return err },
		"dry run": func(s *testSite) error {
			_, err := s.DryRun(context.Background(), other.input(), Options{})
			return err
		},
		"repair": func(s *testSite) error { _, err := s.Repair(context.Background(), other.input(), nothing); return err },
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSite(t, r.factory, newWorld())
			s.must(r.one)
			pushes := s.world.pushes
			err := verb(s)
			if reasonOf(err) != "name" || !strings.Contains(err.Error(), "takes releases of store-platform") {
				t.Fatalf("error is %v", err)
			}
			if s.world.pushes != pushes {
				t.Error("the mirror was sent something")
			}
			s.must(r.two) // its own next release
			if p := s.problem(&r.two); p != "" {
				t.Error(p)
			}
		})
	}
}

// Older in its own count, the other product is refused for its name and not as an old release of ours.
func TestAnotherProductHasItsOwnCount(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.four)
	if _, err := s.apply(r.product(t, "till-software", "1.0.0", 1)); reasonOf(err) != "name" {
		t.Errorf("error is %v", err)
	}
}

func TestSiteYamlBinds(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.cfg.Spec.Release = "till-software"
	if _, err := s.apply(r.one); reasonOf(err) != "name" {
		t.Errorf("error is %v", err)
	}
	s.must(r.product(t, "till-software", "1.0.0", 1))
}

// What is staged is judged by what site.yaml says when it is switched to.
func TestStagedReleaseOfAnotherName(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	if _, err := s.Stage(context.Background(), r.one.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	s.cfg.Spec.Release = "till-software"
	if _, err := s.ApplyStaged(context.Background(), Options{}); reasonOf(err) != "name" {
		t.Errorf("error is %v", err)
	}
}

// A person moves the site to another product by changing site.yaml. Each product keeps its own rollback index, and the way
// back stays.
func TestMovingToAnotherProduct(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.three)
	s.cfg.Spec.Release = "till-software"
	till := r.product(t, "till-software", "1.0.0", 1)
	s.must(till)
	if st := s.status(); st.RollbackIndex != 1 || st.Takes != "till-software" || st.Previous.Name != "store-platform" {
		t.Errorf("status is %+v", st)
	}
	s.cfg.Spec.Release = ""
	if _, err := s.apply(r.four); reasonOf(err) != "name" {
		t.Errorf("without spec.release the last one committed binds: %v", err)
	}
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	if p := s.problem(&r.three); p != "" {
		t.Error(p)
	}
	if _, err := s.apply(r.two); reasonOf(err) != "sequence" {
		t.Errorf("the rollback index of the first product is forgotten: %v", err)
	}
}

func TestRequiredReleaseOfAnotherProduct(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.four)
	s.cfg.Spec.Release = "till-software"
	c := newContent("3.0.0", 3)
	c.d.Name, c.d.Requires = "till-software", &bundle.Requires{Releases: ">=2.0.0"}
	if _, err := s.apply(r.seal(t, c)); reasonOf(err) != "requires" || !strings.Contains(err.Error(), "runs store-platform 4.0.0") {
		t.Errorf("error is %v", err)
	}
}

// Two releases with one sequence: whichever was committed, the other is not taken for it, be it the current one or one that
// was rolled back from.
func TestSameSequenceOtherRelease(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	other := r.make(t, "2.0.0", 2, "b", "c", "d")
	refused := func(when string) {
		t.Helper()
		if _, err := s.apply(other); reasonOf(err) != "sequence" || !strings.Contains(err.Error(), "another release") {
			t.Errorf("%s: %v", when, err)
		}
		if _, err := s.Stage(context.Background(), other.input(), Options{}); reasonOf(err) != "sequence" {
			t.Errorf("%s, staging: %v", when, err)
		}
	}
	refused("current")
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	refused("rolled back from")
	if err := os.Remove(s.journalPath()); err != nil {
		t.Fatal(err)
	}
	refused("known from the history alone")
	s.must(r.two)
}

// Without journal and history, the slot that runs tells how far the site had come and whose it is.
func TestSlotsTellWhatWasCommitted(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	for _, path := range []string{s.journalPath(), s.historyPath()} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.status(); st.RollbackIndex != 2 || st.Takes != "store-platform" {
		t.Errorf("status is %+v", st)
	}
	if _, err := s.apply(r.one); reasonOf(err) != "sequence" {
		t.Errorf("an older release: %v", err)
	}
	if _, err := s.apply(r.product(t, "till-software", "1.0.0", 900)); reasonOf(err) != "name" {
		t.Errorf("another product: %v", err)
	}
	s.must(r.two)
}

// A journal of a program that knew neither identities nor names is read as what it means today.
func TestOlderJournalIsTakenOver(t *testing.T) {
	r := newReleases(t)
	w := newWorld()
	s := newTestSite(t, r.factory, w)
	s.must(r.one)
	s.must(r.two)
	w.failing = func(v string) bool { return v == "3.0.0" }
	if _, err := s.apply(r.three); reasonOf(err) != "rolled-back" {
		t.Fatal(err)
	}
	data, err := os.ReadFile(s.journalPath())
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`(?m)^ *"identity": ".*",\n`).ReplaceAll(data, nil)
	data = regexp.MustCompile(`(?s) "name": "store-platform",\n "names": \{.*?\n \},\n`).ReplaceAll(data, []byte(" \"rollbackIndex\": 2,\n"))
	data = bytes.ReplaceAll(data, []byte(r.three.release.Identity), []byte(r.three.release.Digest))
	if bytes.Contains(data, []byte("dentity")) || !bytes.Contains(data, []byte("rollbackIndex")) {
		t.Fatalf("not an old journal: %s", data)
	}
	if err := os.WriteFile(s.journalPath(), data, 0o600); err != nil {
		t.Fatal(err)
	}
	st := s.status()
	if st.RollbackIndex != 2 || st.Takes != "store-platform" || st.Current.Identity != r.two.release.Identity ||
		st.Previous.Identity != r.one.release.Identity {
		t.Fatalf("status is %+v", st)
	}
	if _, err := s.apply(r.three); reasonOf(err) != "bad" {
		t.Errorf("a known bad release: %v", err)
	}
	if _, err := s.apply(r.make(t, "2.0.0", 2, "x")); reasonOf(err) != "sequence" {
		t.Errorf("another release with the sequence: %v", err)
	}
	if res, err := s.apply(r.variant(t, "2.0.0", 2, "b", "c")); err != nil || res.Result != ResultNothing {
		t.Errorf("a variant: %+v, %v", res, err)
	}
	s.must(r.four)
}
