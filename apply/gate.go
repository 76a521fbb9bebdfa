package apply

import (
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/bundle"
)

// What a release says of its catching up, when it says anything but window.
const (
	catchUpImmediate = "immediate"
	catchUpHold      = "hold"
)

// gate says why the site may not begin to switch to a release at this moment; nil if it may. anyTime is a person's word that
// windows and blackouts do not count. It lifts no freeze: what somebody froze here only sallyport unfreeze does, and a notice ends as it says.
func (s *Site) gate(d *bundle.Descriptor, anyTime bool) error {
	if f := s.frozenFor(d); f != nil {
		return f.refuse(s.cfg.Metadata.Name)
	}
	if anyTime {
		return nil
	}
	now := s.deps.Now()
	if b, ok := s.cfg.plan.Blackout(now); ok {
		return s.closed(d, "%s is a blackout", b)
	}
	if d.CatchUp == catchUpImmediate && s.cfg.Spec.CatchUp.Immediate != immediateNever {
		return nil
	}
	open, ok := s.cfg.plan.At(now)
	need := s.needs(d)
	switch {
	case !ok:
		return s.closed(d, "no window is open")
	case len(s.cfg.plan.Windows) == 0:
		return nil
	case open.Latest(need).Before(now):
		return s.closed(d, "the window that is open ends %s, and a switch with its checks and a rollback may take %s", when(open.End), need)
	}
	return nil
}

// closed is the error of a switch that may not begin now.
func (s *Site) closed(d *bundle.Descriptor, format string, args ...any) error {
	next := "no later window is long enough: make one longer in site.yaml"
	if at, ok := s.cfg.plan.Next(s.deps.Now(), s.needs(d)); ok {
		next = "the next one begins " + when(at.Start)
	}
	return errorf("window", "wait for it: sallyport stage brings the release here meanwhile; sallyport apply --now goes on outside the windows",
		"%s may not be switched to now: %s; %s", s.cfg.Metadata.Name, fmt.Sprintf(format, args...), next)
}

// timing tells when the site may switch to what is staged, or to any release.
func (s *Site) timing(st *Status, j *journal) {
	st.Freeze = s.frozen()
	st.Frozen = st.Freeze != nil
	var d *bundle.Descriptor
	if j.Phase == Written {
		if held, err := s.heldIn(s.Slots(), *j.Staged, j.Staged.Slot); err == nil {
			d = held
			st.Held = s.holds(*j.Staged, d)
		}
	}
	if s.cfg.plan.Always() {
		return
	}
	now := s.deps.Now()
	if next, ok := s.cfg.plan.Next(now, s.needs(d)); ok {
		st.NextWindow, st.WindowEnds, st.WindowOpen = &next.Start, &next.End, next.Contains(now)
	}
}

// holds tells whether a release waits for a person who has not spoken yet.
func (s *Site) holds(r Release, d *bundle.Descriptor) bool {
	if d.CatchUp != catchUpHold {
		return false
	}
	all, err := s.approved()
	return err != nil || !slices.Contains(all, r.tried())
}

// when is an instant as people read it, by the clocks of its zone.
func when(t time.Time) string { return t.Format("Mon 2006-01-02 15:04 MST") }

// switching costs a moment beside the checks.
const switchTime = time.Minute

// needs is how long a switch to a release takes at most: what site.yaml says, or else the time that its checks and the site's own have,
// twice, as they run once more after a rollback; and with an operating system, that of a boot. d may be nil.
func (s *Site) needs(d *bundle.Descriptor) time.Duration {
	if n := s.cfg.Spec.WindowNeed; n != nil {
		return time.Duration(*n)
	}
	checks, err := s.siteChecks()
	if err != nil {
		checks = nil // they stop the switch for themselves
	}
	need := switchTime
	if d != nil {
		checks = append(d.Checks[:len(d.Checks):len(d.Checks)], checks...)
		if d.OS != nil {
			need += s.cfg.Spec.Slots.deadline()
		}
	}
	for _, c := range checks {
		need += 2 * (time.Duration(c.Timeout) + time.Duration(c.InitialDelay))
		if c.Timeout == 0 {
			need += 2 * check.DefaultTimeout
		}
	}
	return need
}
