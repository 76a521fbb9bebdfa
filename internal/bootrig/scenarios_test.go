package bootrig

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// playAll lets a loader's machines live through scenarios.
func playAll(t *testing.T, y *Yard, scenarios []Scenario) {
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			m, err := y.Machine(t.Context(), filepath.Join(t.TempDir(), "machine"))
			if err != nil {
				t.Fatal(err)
			}
			r, err := m.Switch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer r.Off()
			begin := time.Now()
			r.Say = func(format string, args ...any) {
				t.Logf("%5.1f s  "+format, append([]any{time.Since(begin).Seconds()}, args...)...)
			}
			if err := s.Play(r); err != nil {
				t.Errorf("%s: %v\n%s", s.Name, err, r.Console())
			}
		})
	}
}

// workshop builds the programs; SALLYPORT names a whole one that is there already.
func workshop(t *testing.T) *Workshop {
	t.Helper()
	w, err := NewWorkshop(t.Context(), t.TempDir(), os.Getenv("SALLYPORT"))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func newYard(t *testing.T, w *Workshop, l Loader, scenarios []Scenario, files map[string]string) *Yard {
	t.Helper()
	var needs []string
	for _, s := range scenarios {
		needs = append(needs, s.Needs...)
	}
	y, err := NewYard(t.Context(), w, filepath.Join(t.TempDir(), l.Name), l, t.Logf, files, needs...)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// some are the scenarios of those names.
func some(t *testing.T, names ...string) (all []Scenario) {
	t.Helper()
	for _, s := range Scenarios() {
		if slices.Contains(names, s.Name) {
			all = append(all, s)
		}
	}
	if len(all) != len(names) {
		t.Fatalf("%d scenarios are called %q", len(all), names)
	}
	return all
}

// Three scenarios with real GRUB on a BIOS, and what a power cut can leave of an update there; make boot runs all of them.
func TestGRUB(t *testing.T) {
	y := newYard(t, workshop(t), GRUB(), some(t, "commit", "panic", "sick"), nil)
	t.Run("power cuts", func(t *testing.T) {
		t.Parallel()
		cutEverywhere(t, y, 100, 1, 1)
	})
	playAll(t, y, some(t, "commit", "panic", "sick"))
}
