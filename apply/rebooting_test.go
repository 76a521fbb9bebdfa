package apply

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/watchdog"
	"github.com/sallyport-dev/sallyport/bundle"
)

// A reboot leaves the hardware watchdog running first, for long enough to outlast a shutdown, and takes place whatever comes of it.
func TestRebootArmsTheWatchdog(t *testing.T) {
	f := newFleet(t)
	for _, tt := range []struct {
		name  string
		site  *bundle.Duration
		want  time.Duration // 0: the watchdog is left alone
		err   error
		words string
	}{
		{"by default", nil, 10 * time.Minute, nil, "watchdog resets this machine in 10m0s unless it is fed"},
		{"as the site says", durationOf(20 * time.Minute), 20 * time.Minute, nil, "in 20m0s"},
		{"off", durationOf(0), 0, nil, ""},
		{"none", nil, 10 * time.Minute, watchdog.ErrNone, "watchdog none"},
		{"another has it", nil, 10 * time.Minute, &watchdog.HeldError{}, "is held by another program, such as systemd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := f.site(t)
			s.cfg.Spec.Slots.Watchdog = tt.site
			var said []string
			s.deps.Observe = func(e Event) { said = append(said, e.Label+" "+e.Text) }
			var asked, least time.Duration
			s.deps.Watchdog = func(want, atLeast time.Duration) (time.Duration, error) {
				asked, least = want, atLeast
				return want, tt.err
			}
			refused := errors.New("no permission")
			s.deps.Reboot = func(context.Context) error { return refused }
			if err := s.Reboot(t.Context()); !errors.Is(err, refused) {
				t.Errorf("got %v", err)
			}
			if asked != tt.want || tt.want > 0 && least <= shutdownTime {
				t.Errorf("asked for %s, at least %s", asked, least)
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, tt.words) || tt.want == 0 && strings.Contains(all, "watchdog") {
				t.Errorf("said %q", all)
			}
		})
	}
}

func durationOf(d time.Duration) *bundle.Duration {
	v := bundle.Duration(d)
	return &v
}

// The checks of a trial end before the machine is booted again by its deadline; those of a way back have no deadline.
func TestChecksEndBeforeTheDeadline(t *testing.T) {
	f := newFleet(t)
	s := f.site(t)
	s.onto(f.one)
	var ends []time.Time
	s.deps.RunChecks = func(_ context.Context, _ []bundle.Check, env check.Env) ([]check.Result, bool, error) {
		ends = append(ends, env.Deadline)
		return nil, len(ends) != 1, nil // the trial fails
	}
	if _, err := s.apply(f.two); err != nil {
		t.Fatal(err)
	}
	s.world.machine.boot(t)
	if _, err := s.Confirm(t.Context()); reasonOf(err) != "reboot" {
		t.Fatalf("got %v", err)
	}
	s.world.machine.boot(t)
	if _, err := s.Confirm(t.Context()); reasonOf(err) != "rolled-back" {
		t.Fatalf("got %v", err)
	}
	if len(ends) != 2 || !ends[1].IsZero() {
		t.Fatalf("the checks end at %v", ends)
	}
	// The machine has been up for a minute.
	want := time.Now().Add(defaultDeadline - time.Minute - verdictTime)
	if off := want.Sub(ends[0]); off < 0 || off > time.Minute {
		t.Errorf("the checks of the trial end at %s, want %s", ends[0], want)
	}
}

func TestDoctorTellsOfTheWatchdog(t *testing.T) {
	h := host.Host{Root: t.TempDir()}
	if got := watchdogReady(h); !got.OK || !strings.HasPrefix(got.Message, "none: ") || got.Mend == "" {
		t.Errorf("got %+v", got)
	}
	if err := os.MkdirAll(h.Path("/sys/class/misc/watchdog"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := watchdogReady(h); !got.OK || !strings.HasSuffix(got.Message, "/dev/watchdog, of which its driver says nothing before it is started") {
		t.Errorf("a management controller's: got %+v", got)
	}
	for name, text := range map[string]string{"identity": "BCM\x1b2835", "timeout": "10", "max_timeout": "15", "bootstatus": "32"} {
		path := h.Path("/sys/class/watchdog/watchdog0/" + name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	want := `BCM\x1b2835, 10s of 15s at most; too short to outlast a shutdown, so it is for systemd (RuntimeWatchdogSec); this boot was its doing`
	if got := watchdogReady(h); !got.OK || got.Message != want {
		t.Errorf("got %+v", got)
	}
}
