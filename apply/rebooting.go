package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/watchdog"
)

const (
	// shutdownTime bounds how long an orderly shutdown may take before the kernel is told to boot at once.
	shutdownTime = 3 * time.Minute
	// defaultWatchdog is how long the hardware watchdog waits, from when a reboot begins.
	defaultWatchdog = 10 * time.Minute
	// leastWatchdog is the least that leaves time for an orderly shutdown.
	leastWatchdog = shutdownTime + time.Minute
)

// Reboot boots the machine again. It returns only if that fails, or if ctx ends first.
func (s *Site) Reboot(ctx context.Context) error {
	if s.deps.Reboot == nil {
		return errorf("usage", "reboot it by hand", "this machine is not one that sallyport reboots")
	}
	s.armWatchdog()
	s.say("rebooting", "this machine boots again now")
	if err := s.deps.Reboot(ctx); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// watchdog is how long the hardware watchdog may wait; 0 if it is to be left alone.
func (s *SlotsConfig) watchdog() time.Duration {
	if s.Watchdog == nil {
		return defaultWatchdog
	}
	return time.Duration(*s.Watchdog)
}

// armWatchdog has the hardware end a shutdown that hangs and, where it outlives the reset, a slot that hangs before the kernel has
// its driver. A machine that has none, or whose watchdog is not ours, boots without.
func (s *Site) armWatchdog() {
	want := s.cfg.Spec.Slots.watchdog()
	if s.deps.Watchdog == nil || want == 0 {
		return
	}
	took, err := s.deps.Watchdog(want, min(want, leastWatchdog))
	switch {
	case errors.Is(err, watchdog.ErrNone):
		s.say("watchdog", "none")
	case err != nil:
		s.say("watchdog", "%s", err)
	default:
		s.say("watchdog", "resets this machine in %s unless it is fed by then", took)
	}
}

// watchdogReady says what watchdog the machine has. None is no fault.
func watchdogReady(h host.Host) Finding {
	d, err := watchdog.Look(h)
	switch {
	case err != nil:
		return found("watchdog", err, "", "see dmesg for what the driver says")
	case d == nil:
		return Finding{Name: "watchdog", OK: true, Message: "none: a machine that hangs before its services run is booted again by a person",
			Mend: "load the module of this machine's watchdog, if it has one"}
	}
	if d.Silent {
		return Finding{Name: "watchdog", OK: true, Message: d.Path + ", of which its driver says nothing before it is started"}
	}
	text := fmt.Sprintf("%s, %s", oneLine(d.Identity), d.Timeout)
	if d.Most > 0 {
		text += fmt.Sprintf(" of %s at most", d.Most)
	}
	if d.Most > 0 && d.Most < leastWatchdog {
		text += "; too short to outlast a shutdown, so it is for systemd (RuntimeWatchdogSec)"
	}
	if d.Reset {
		text += "; this boot was its doing"
	}
	return Finding{Name: "watchdog", OK: true, Message: text}
}
