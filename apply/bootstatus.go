package apply

import (
	"context"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// BootStatus is how the boot loader stands, as scripts see it.
type BootStatus struct {
	// Running is the boot slot that runs; empty if it cannot be told.
	Running slot.Name `json:"running"`
	// A and B are what the loader will do with each slot.
	A *slot.State `json:"a,omitempty"`
	B *slot.State `json:"b,omitempty"`
	// RebootDue tells that the transaction under way goes on after a reboot.
	RebootDue bool `json:"rebootDue"`
	// Deadline is when a trial that nobody has confirmed ends in a reboot; nil while none runs.
	Deadline *time.Time `json:"deadline,omitempty"`
	// Problem is why some of this cannot be told, or why it is not what the journal has; empty if all is well.
	Problem string `json:"problem,omitempty"`
}

// defaultDeadline is how long after a boot a trial may be undecided.
const defaultDeadline = 15 * time.Minute

// deadline is how long after a boot a trial may be undecided before the machine is booted again.
func (s *SlotsConfig) deadline() time.Duration {
	if s.Deadline == nil {
		return defaultDeadline
	}
	return time.Duration(*s.Deadline)
}

// ExamineBoot asks the boot loader, and changes nothing; nil of a site without one.
func (s *Site) ExamineBoot(ctx context.Context) *BootStatus {
	if s.deps.Loader == nil {
		return nil
	}
	st := &BootStatus{}
	l, err := s.deps.Loader()
	if err != nil {
		st.problem(err)
		return st
	}
	if st.Running, err = l.Running(ctx); err != nil {
		st.problem(err)
	}
	for n, to := range map[slot.Name]**slot.State{slot.A: &st.A, slot.B: &st.B} {
		state, err := l.State(ctx, n)
		if err != nil {
			st.problem(err)
			continue
		}
		*to = &state
	}
	j, err := s.readJournal()
	if err != nil {
		return st // which Status tells
	}
	s.compareBoot(st, j)
	return st
}

// compareBoot holds what the loader says against the journal.
func (s *Site) compareBoot(st *BootStatus, j *journal) {
	c := j.Current
	switch {
	case j.Reboot == nil && st.Running != slot.None && c != nil && c.Boot != slot.None && c.Boot != st.Running:
		st.problem(errorf("boot", "", "boot slot %s runs, and %s is in boot slot %s", st.Running, c, c.Boot))
	case j.Reboot == nil || j.Trial == nil:
		return
	}
	if j.Reboot == nil {
		return
	}
	now, err := s.deps.BootID()
	if err != nil {
		st.problem(err)
		return
	}
	st.RebootDue = j.Phase == Armed && j.Reboot.Since == now || j.Phase == RollingBack && j.Reboot.Back == now
	if (j.Phase == Armed || j.Phase == Trial) && st.Running == j.Trial.Boot && s.deps.Uptime != nil {
		if up, err := s.deps.Uptime(); err == nil {
			at := s.deps.Now().Add(s.cfg.Spec.Slots.deadline() - up).UTC().Truncate(time.Second)
			st.Deadline = &at
		}
	}
}

func (st *BootStatus) problem(err error) {
	if st.Problem == "" {
		st.Problem = oneLine(err.Error())
	}
}
