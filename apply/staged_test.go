package apply

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

// What was good when it was staged must be good when it is switched to.
func TestStagedReleasesAreJudgedAgain(t *testing.T) {
	f := newFactory(t)
	one := newContent("1.0.0", 1)
	one.configMaps("a")
	first := f.seal(t, one)
	two := newContent("2.0.0", 2)
	two.configMaps("a", "b")
	expires := noon.Add(time.Hour)
	two.d.Expires = &expires
	two.d.Requires = &bundle.Requires{Labels: map[string]string{"region": "emea"}}
	second := f.seal(t, two)
	for _, c := range []struct {
		name, reason, says string
		change             func(s *testSite)
	}{
		{"expired", "expired", "expired 2026-11-21T13:00:00Z", func(s *testSite) {
			s.deps.Now = func() time.Time { return expires }
		}},
		{"signer no longer trusted", "signature", "trusts no such key now", func(s *testSite) {
			s.deps.LoadTrust = func() (*verify.Trust, error) { return newFactory(t).trust, nil }
		}},
		{"site relabelled", "labels", "region: emea", func(s *testSite) { s.cfg.Metadata.Labels = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestSite(t, f, newWorld())
			s.must(first)
			if _, err := s.Stage(context.Background(), second.input(), Options{}); err != nil {
				t.Fatal(err)
			}
			was := s.Site.deps
			labels := s.cfg.Metadata.Labels
			c.change(s)
			_, err := s.ApplyStaged(context.Background(), Options{})
			if reasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v (%s), want one for %s that says %q", err, reasonOf(err), c.reason, c.says)
			}
			if p := s.problem(&first); p != "" {
				t.Error(p)
			}
			s.deps, s.cfg.Metadata.Labels = was, labels
			if res, err := s.ApplyStaged(context.Background(), Options{}); err != nil || res.Result != ResultCommitted {
				t.Errorf("once it is good again: %+v, %v", res, err)
			}
		})
	}
}

// A slot whose files agree with its own index, but not with the release that was signed, holds no release.
func TestSlotsHoldWhatWasSigned(t *testing.T) {
	r := newReleases(t)
	for name, alter := range map[string]func(*slot.Release){
		"objects": func(s *slot.Release) { s.Objects = append(s.Objects, "---\nkind: Backdoor\n"...) },
		"descriptor": func(s *slot.Release) {
			b, err := r.two.descriptor.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			s.Descriptor = b
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSite(t, r.factory, newWorld())
			if _, err := s.Stage(context.Background(), r.one.input(), Options{}); err != nil {
				t.Fatal(err)
			}
			slots, err := slot.Open(s.slotsPath(), s.deps.Disk)
			if err != nil {
				t.Fatal(err)
			}
			held, err := slots.Load(slot.A)
			if err != nil {
				t.Fatal(err)
			}
			alter(held)
			if err := slots.Fill(slot.A, held); err != nil {
				t.Fatal(err)
			}
			if _, err := s.ApplyStaged(context.Background(), Options{}); reasonOf(err) != "slot" {
				t.Errorf("error is %v (%s)", err, reasonOf(err))
			}
			if len(s.world.objects) != 0 {
				t.Errorf("it was applied: %v", s.world.objects)
			}
		})
	}
}

// A damaged slot that is not the one that runs is mended by the next release.
func TestDamagedPreviousSlotStopsNothing(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	previous := s.status().Previous
	path := filepath.Join(s.slotsPath(), string(previous.Slot), "objects.yaml")
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newContent("3.0.0", 3)
	c.configMaps("a")
	third := r.factory.seal(t, c)
	s.must(third)
	if p := s.problem(&third); p != "" {
		t.Error(p)
	}
}

// What load keeps for later comes back as it was verified, or not at all.
func TestSpooledBytesAreComparedAgain(t *testing.T) {
	r := &run{Site: newTestSite(t, newFactory(t), newWorld()).Site}
	dir, err := r.temp()
	if err != nil {
		t.Fatal(err)
	}
	good := []byte("kind: ConfigMap\n")
	path := filepath.Join(dir, digest.FromBytes(good).Encoded())
	for content, want := range map[string]string{string(good): "", "kind: Backdoor!!\n": "state"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := r.spooled(digest.FromBytes(good))
		if want == "" && (err != nil || string(b) != content) || want != "" && reasonOf(err) != want {
			t.Errorf("%q gave %q, %v", content, b, err)
		}
	}
}
