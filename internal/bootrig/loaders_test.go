//go:build boot

package bootrig

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/bootrig/replay"
)

// Every loader of the rig lives through every scenario.
func TestLoaders(t *testing.T) {
	t.Parallel()
	w := workshop(t)
	all := slices.Concat(Scenarios(), GRUBScenarios())
	for _, l := range []Loader{GRUB(), GRUBEFI()} {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			playAll(t, newYard(t, w, l, all, nil), all)
		})
	}
}

// Trials that come to nothing before their root file system is mounted, and what ends them: the command line, or a watchdog of
// hardware. Of such a one the second try has nothing left, so there is one.
func TestEarly(t *testing.T) {
	t.Parallel()
	w, err := workshop(t).Generic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	y := newYard(t, w, OneTry(GRUB()), []Scenario{{Needs: []string{NoRoot, NoRootEither, HangsEarly, Halts, Good}}}, nil)
	playAll(t, y, EarlyScenarios())
	card, scenarios := WatchdogCard(y)
	playAll(t, card, scenarios)
	controller, scenarios := WatchdogController(y)
	playAll(t, controller, scenarios)
}

// A thousand disks that a power cut could have left of an update with GRUB; and the same of updates by programs with a bug in
// them, which must not come out of it: a proof that finds nothing proves nothing.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	w := workshop(t)
	files := map[string]string{}
	for _, b := range Bugs() {
		name := strings.ReplaceAll(b.Name, " ", "-")
		files[name] = filepath.Join(t.TempDir(), name)
		if err := w.Plant(t.Context(), files[name], b); err != nil {
			t.Fatal(err)
		}
	}
	y := newYard(t, w, GRUB(), some(t, "commit"), files)
	t.Run("right", func(t *testing.T) {
		t.Parallel()
		cutEverywhere(t, y, 1000, 6, 8)
	})
	for name := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, err := y.Record(t.Context(), t.TempDir(), planted(stickFolder+"/"+name))
			if err != nil {
				t.Fatal(err)
			}
			bad := 0
			n, err := rec.CutEverywhere(grubLook(t, y, rec.Before.Layout), 1, 6, func(s replay.State, err error) {
				if bad++; bad <= 3 {
					t.Logf("found: %s: %v", s.Name, err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d disks looked at, %d of them bad", n, bad)
			if bad == 0 {
				t.Error("the bug is not found")
			}
		})
	}
}
