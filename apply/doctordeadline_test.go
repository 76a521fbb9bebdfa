package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

// The timer and site.yaml say the same, or doctor says that they do not.
func TestDeadlineOfTimerAndSite(t *testing.T) {
	shipped, err := os.ReadFile("../docs/systemd/" + deadlineTimer)
	if err != nil {
		t.Fatal(err)
	}
	half := bundle.Duration(30 * time.Minute)
	const dropIn = deadlineTimer + ".d/"
	for name, c := range map[string]struct {
		files map[string]string
		site  *bundle.Duration
		ok    bool
		says  string
	}{
		"none":              {ok: true, says: "is not among systemd's units"},
		"as shipped":        {map[string]string{"/etc/systemd/system/" + deadlineTimer: string(shipped)}, nil, true, "15m0s after the boot"},
		"site.yaml changed": {map[string]string{"/usr/lib/systemd/system/" + deadlineTimer: string(shipped)}, &half, false, "goes off 15m0s after a boot, and spec.slots.deadline of this site is 30m0s"},
		"both changed": {map[string]string{"/usr/lib/systemd/system/" + deadlineTimer: string(shipped),
			"/etc/systemd/system/" + dropIn + "override.conf": "[Timer]\nOnBootSec=\nOnBootSec=1800\n"}, &half, true, "30m0s"},
		"added, not replaced": {map[string]string{"/usr/lib/systemd/system/" + deadlineTimer: string(shipped),
			"/etc/systemd/system/" + dropIn + "override.conf": "[Timer]\nOnBootSec=30min\n"}, &half, false, "goes off 15m0s"},
		"the timer changed": {map[string]string{"/usr/lib/systemd/system/" + deadlineTimer: string(shipped),
			"/run/systemd/system/" + dropIn + "a.conf": "[Timer]\nOnBootSec=\nOnBootSec=5min\n",
			"/etc/systemd/system/" + dropIn + "a.conf": "[Timer]\nOnBootSec=\nOnBootSec=1h 30 min\n"}, nil, false, "goes off 1h30m0s"},
		"nonsense": {map[string]string{"/etc/systemd/system/" + deadlineTimer: "[Timer]\nOnBootSec=soon\n"}, nil, false, `"soon" is not a time span`},
		"no time":  {map[string]string{"/etc/systemd/system/" + deadlineTimer: "[Unit]\nOnBootSec=1\n"}, nil, false, "has no OnBootSec"},
	} {
		s := newFleet(t).site(t)
		s.deps.Host.Root, s.cfg.Spec.Slots.Deadline = t.TempDir(), c.site
		for path, text := range c.files {
			path = s.deps.Host.Path(path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if f := s.deadlineReady(); f.OK != c.ok || !strings.Contains(f.Message, c.says) || !f.OK && f.Mend == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// As systemd.time(7) has it.
func TestTimeSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"15min": 15 * time.Minute, "900": 15 * time.Minute, "2 h": 2 * time.Hour, "1hr5m30": time.Hour + 5*time.Minute + 30*time.Second,
		"2.5min": 150 * time.Second, "1d 1s": 24*time.Hour + time.Second, "": -1, "min": -1, "5 moons": -1, "1e9h": -1, "-1": -1, "9999999d": -1,
	} {
		if got, err := timeSpan(text); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}
