package apply

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// Status is what a site runs and in what state it is, as scripts see it.
type Status struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Site       string   `json:"site"`
	Phase      Phase    `json:"phase"`
	Current    *Release `json:"current"`
	Previous   *Release `json:"previous"`
	Staged     *Release `json:"staged"`
	Trial      *Release `json:"trial"`
	// Attempt is the transaction under way; nil between transactions. Busy tells whether anybody is at it now.
	Attempt       *Attempt `json:"attempt,omitempty"`
	LastAttempted *Attempt `json:"lastAttempted"`
	// PutBack is the release that a person rolled back from; it does not come again by itself.
	PutBack *PutBack `json:"putBack,omitempty"`
	// Frozen tells whether nothing may be switched to now, and Freeze why and until when; null if that is not so.
	Frozen bool    `json:"frozen"`
	Freeze *Freeze `json:"freeze,omitempty"`
	// NextWindow is when the next window begins in which there is time for a switch, by its zone's clocks, and WindowEnds when
	// it ends; null on a site without windows or if there is none. It may have begun, and WindowOpen tells so.
	NextWindow *time.Time `json:"nextWindow"`
	WindowEnds *time.Time `json:"windowEnds,omitempty"`
	WindowOpen bool       `json:"windowOpen,omitempty"`
	// Held tells that what is staged holds for a person: sallyport approve.
	Held bool `json:"held,omitempty"`
	// Takes is the name of the releases that the site takes, empty while any may come; RollbackIndex is that of this name.
	Takes         string `json:"takes,omitempty"`
	RollbackIndex uint64 `json:"rollbackIndex"`
	NeedsPerson   bool   `json:"needsPerson"`
	// Person says what a person has to look at, and what to do; empty if nobody has to.
	Person string `json:"person,omitempty"`
	// Left are objects that are not as the current release has them, Leaving those that should be gone and are not: every verb
	// tries them again. Unrestored is why a rollback was given up for another release, so that nothing tells which are.
	Left       []Left `json:"left,omitempty"`
	Leaving    []Left `json:"leaving,omitempty"`
	Unrestored string `json:"unrestored,omitempty"`
	// Health is what Look found; nil in what Status returns.
	*Health `json:",omitempty"`
	// Boot is what the boot loader says, if Look was asked; nil of a site without one.
	Boot *BootStatus `json:"boot,omitempty"`
	// Relabelled tells, if Look was asked, that by its labels the site would now take other overlays of the current release.
	Relabelled string `json:"relabelled,omitempty"`
	// Objects says how the current release's objects on the target are: "as the release has them", or why nobody knows. Drift are
	// those that differ; null if nobody knows.
	Objects string            `json:"objects,omitempty"`
	Drift   []kube.Difference `json:"drift"`
	// Since is when the current release was committed; nil if it is not known.
	Since *time.Time `json:"since,omitempty"`
}

// Look is Status, Examine and ExamineTarget: what the site runs, what of that is lost or damaged, and what differs. It takes no lock and changes
// nothing.
func (s *Site) Look(ctx context.Context) (*Status, error) {
	st, err := s.Status()
	if err != nil {
		return nil, err
	}
	var wait sync.WaitGroup
	wait.Go(func() { st.Objects, st.Drift = s.ExamineTarget(ctx) })
	h := s.Examine(ctx)
	wait.Wait()
	st.Health = &h
	st.Boot = s.ExamineBoot(ctx)
	if c := st.Current; c != nil {
		if d, err := s.heldIn(s.Slots(), *c, c.Slot); err == nil {
			st.Relabelled = s.relabelled(*c, d)
		}
	}
	if b := st.Boot; b != nil && b.Problem != "" && !st.NeedsPerson {
		st.NeedsPerson, st.Person = true, b.Problem
	}
	if len(h.Problems) > 0 && !st.NeedsPerson {
		st.NeedsPerson, st.Person = true, h.Problems[0].String()
	}
	return st, nil
}

// Status reads the journal. It takes no lock and asks neither mirror nor target, so it answers at any time.
func (s *Site) Status() (*Status, error) {
	j, err := s.readJournal()
	if err != nil {
		return nil, err
	}
	st := &Status{APIVersion: bundle.APIVersion, Kind: "Status", Site: s.cfg.Metadata.Name, Phase: j.Phase,
		Current: j.Current, Previous: j.Previous, Staged: j.Staged, Trial: j.Trial, Attempt: j.Attempt, LastAttempted: j.LastAttempted,
		PutBack: j.PutBack, Left: j.Left, Leaving: stuckAmong(j.Leaving), Unrestored: j.Unrestored,
		Takes: s.takes(j), RollbackIndex: j.Names[s.takes(j)].RollbackIndex, NeedsPerson: j.NeedsPerson != "", Person: j.NeedsPerson}
	if j.Phase == Written && j.Previous == nil {
		st.Previous = j.Outgoing // sallyport rollback gives up what is staged and goes there
	}
	s.timing(st, j)
	if j.Current == nil {
		return st, nil
	}
	attempts, _, err := readHistory(s.historyPath())
	if err != nil {
		return nil, stateError(err)
	}
	st.Since = since(attempts, *j.Current)
	return st, nil
}

// since finds when a release became the current one.
func since(attempts []Attempt, current Release) *time.Time {
	for i := len(attempts) - 1; i >= 0; i-- {
		a := attempts[i]
		if a.same(current) && a.ran() {
			return &a.Ended
		}
	}
	return nil
}

// Runs says in half a sentence what the site runs: "store-0142 runs store-platform 2.3.0".
func (s *Site) Runs() string {
	name := s.cfg.Metadata.Name
	j, err := s.readJournal()
	switch {
	case err != nil:
		return "what " + name + " runs cannot be told: its journal cannot be read"
	case j.Current == nil:
		return name + " runs no release"
	}
	return name + " runs " + j.Current.String()
}

// RunsAgain is Runs after an update that was undone: "store-0142 runs store-platform 2.3.0 again".
func (s *Site) RunsAgain() string {
	if j, err := s.readJournal(); err == nil && j.Current == nil {
		return s.cfg.Metadata.Name + " is empty again"
	}
	return s.Runs() + " again"
}

// History is what became of every transaction of the site.
type History struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Site       string    `json:"site"`
	Attempts   []Attempt `json:"attempts"` // oldest first
	// Damaged counts lines of the file that cannot be read.
	Damaged int `json:"damaged"`
}

// History reads the history. It takes no lock.
func (s *Site) History() (*History, error) {
	attempts, damaged, err := readHistory(s.historyPath())
	if err != nil {
		return nil, stateError(err)
	}
	if attempts == nil {
		attempts = []Attempt{}
	}
	return &History{APIVersion: bundle.APIVersion, Kind: "History", Site: s.cfg.Metadata.Name,
		Attempts: attempts, Damaged: damaged}, nil
}

// Releases returns the releases that the site may still need: the current one first, then the previous, the staged and
// the one on trial, those that there are. What they are made of must stay in the mirror.
func (s *Site) Releases() (all []*bundle.Descriptor, err error) {
	j, err := s.readJournal()
	if err != nil {
		return nil, err
	}
	for _, rel := range []*Release{j.Current, j.Previous, j.Staged, j.Trial} {
		if rel == nil {
			continue
		}
		d, err := s.heldIn(s.Slots(), *rel, rel.Slot)
		switch {
		case err == nil:
			all = append(all, d)
		case rel == j.Current || rel == j.Trial:
			return nil, err
		}
		// The other slot may be in the middle of being refilled.
	}
	return append(all, s.aside(j)...), nil
}

// readable is Releases without those that are damaged.
func (r *run) readable() (all []*bundle.Descriptor) {
	for _, rel := range []*Release{r.journal.Current, r.journal.Previous, r.journal.Staged, r.journal.Trial} {
		if rel == nil {
			continue
		}
		if d, err := r.heldIn(r.slots, *rel, rel.Slot); err == nil {
			all = append(all, d)
		}
	}
	return append(all, r.aside(r.journal)...)
}

// aside is the release that is kept aside, if there is one.
func (s *Site) aside(j *journal) (all []*bundle.Descriptor) {
	if j.Outgoing != nil {
		if d, err := s.heldIn(slot.View(s.outgoingPath()), *j.Outgoing, slot.A); err == nil {
			all = append(all, d)
		}
	}
	return all
}

func (s *Site) heldIn(store *slot.Store, rel Release, n slot.Name) (*bundle.Descriptor, error) {
	held, err := store.Load(n)
	if err != nil {
		return nil, err
	}
	l, err := openRelease(rel, held)
	if err != nil {
		return nil, err
	}
	return l.descriptor, nil
}
