package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// A site takes releases of one name only, its own: one key may sign several products, and what belongs to one must not
// stand in the way of another's.

// line is what a site remembers of all the releases of one name.
type line struct {
	// RollbackIndex is the highest sequence that was ever committed of them. It never falls.
	RollbackIndex uint64 `json:"rollbackIndex"`
	// Newest is the identity of the release that had it; empty if that is not known any more.
	Newest digest.Digest `json:"newest,omitempty"`
}

// committed notes that r has become the current release.
func (j *journal) committed(r Release) {
	l := j.Names[r.Name]
	if r.Sequence > l.RollbackIndex || r.Sequence == l.RollbackIndex && l.Newest == "" {
		l = line{RollbackIndex: r.Sequence, Newest: r.Identity}
	}
	names := maps.Clone(j.Names)
	if names == nil {
		names = map[string]line{}
	}
	names[r.Name] = l
	j.Name, j.Names = r.Name, names
}

func (j *journal) checkNames() error {
	for name, l := range j.Names {
		if bundle.ValidName(name) != nil || l.RollbackIndex == 0 || l.Newest != "" && checkDigest(l.Newest) != nil {
			return fmt.Errorf("what it remembers of the releases %q is not sound", name)
		}
	}
	if _, ok := j.Names[j.Name]; j.Name != "" && !ok {
		return fmt.Errorf("it remembers nothing of the releases %q", j.Name)
	}
	if j.Current == nil {
		return nil
	}
	index := j.Names[j.Current.Name].RollbackIndex
	if j.OneIndex != nil {
		index = *j.OneIndex
	}
	if j.Current.Sequence > index {
		return fmt.Errorf("the rollback index %d is below that of the current release", index)
	}
	return nil
}

// takes is the name of the releases that this site takes: what site.yaml says, or else that of the release committed last.
// Empty is any.
func (s *Site) takes(j *journal) string {
	if s.cfg.Spec.Release != "" {
		return s.cfg.Spec.Release
	}
	return j.Name
}

func (s *Site) takesName(name string, j *journal) bool {
	ours := s.takes(j)
	return ours == "" || ours == name
}

// fitsName refuses a release of another name.
func (s *Site) fitsName(d *bundle.Descriptor, j *journal) error {
	if s.takesName(d.Name, j) {
		return nil
	}
	ours := s.takes(j)
	return errorf("name", fmt.Sprintf("ask for a bundle of %s; to move this site to %s for good, write spec.release: %s in site.yaml", ours, d.Name, d.Name),
		"%s %s is another product: this site takes releases of %s", d.Name, d.Version, ours)
}

// fitsSequence refuses what would go back, and a release that pretends to be one that was here.
func fitsSequence(d *bundle.Descriptor, j *journal) error {
	l := j.Names[d.Name]
	switch {
	case d.Sequence < l.RollbackIndex:
		return errorf("sequence", "ask the factory for a newer bundle",
			"%s %s has sequence %d, which is older than sequence %d that was committed here", d.Name, d.Version, d.Sequence, l.RollbackIndex)
	case d.Sequence == l.RollbackIndex && l.Newest != "" && l.Newest != d.Identity():
		return errorf("sequence", "ask the factory for a bundle with a sequence of its own: two different releases were built with the same one",
			"%s %s has sequence %d, which was committed here with another release", d.Name, d.Version, d.Sequence)
	}
	return nil
}

// recollect makes up for a journal that is lost from what else there is: the history, and the slots.
func (s *Site) recollect(j *journal) error {
	attempts, _, err := readHistory(s.historyPath())
	if err != nil {
		return stateError(err)
	}
	for _, a := range attempts {
		j.Transaction = max(j.Transaction, a.Transaction)
		if a.ran() {
			j.committed(a.Release)
			ran := a.Release
			j.Previous, j.Current = j.Current, &ran
		}
	}
	if r, recorded := s.running(); r != nil {
		j.committed(*r)
		if j.Current == nil && recorded {
			j.Current = r
		}
	}
	j.Previous = s.stillThere(j.Previous, j.Current)
	if j.lost == nil && (j.Transaction > 0 || j.Name != "") {
		j.lost = errors.New("it is missing")
	}
	if j.lost != nil {
		j.Transaction = max(j.Transaction, 1) // this site is not new
	}
	j.Recollected = j.lost != nil
	return j.check()
}

// stillThere returns previous if its slot still holds it. Where nothing tells what was previous, it is an older release in
// the other slot.
func (s *Site) stillThere(previous, current *Release) *Release {
	if current == nil {
		return nil
	}
	other := s.inSlot(current.Slot.Other())
	switch {
	case other == nil:
		return nil
	case previous != nil && other.same(*previous), previous == nil && other.Name == current.Name && other.Sequence < current.Sequence:
		return other
	}
	return nil
}

// inSlot is the release that a slot holds; nil if it is damaged or empty.
func (s *Site) inSlot(n slot.Name) *Release {
	held, err := s.Slots().Load(n)
	if err != nil {
		return nil
	}
	d, err := describedBy(held)
	if err != nil {
		return nil
	}
	r := releaseOf(d, held.Digest())
	if r.Overlays, err = heldOverlays(d, held); err != nil {
		return nil
	}
	r.Slot = n
	return &r
}

// running is the release in the slot that runs or, if no record tells which that is, the older of those that there are. It
// is nil where no slot holds one.
func (s *Site) running() (oldest *Release, recorded bool) {
	slots := []slot.Name{slot.A, slot.B}
	if n, err := s.Slots().NoBackend().Running(context.Background()); err == nil && n != slot.None {
		slots, recorded = []slot.Name{n}, true
	}
	for _, n := range slots {
		if r := s.inSlot(n); r != nil && (oldest == nil || r.Sequence < oldest.Sequence) {
			oldest = r
		}
	}
	return oldest, recorded
}

// modernise turns the journal of a program that knew neither identities nor names into one of today. The slots tell what
// the releases in them are.
func (s *Site) modernise(j *journal) error {
	identify := func(r *Release, store *slot.Store, n slot.Name) {
		if d, err := s.heldIn(store, *r, n); err == nil {
			r.Identity = d.Identity()
		}
	}
	for _, r := range []*Release{j.Staged, j.Trial, j.Current, j.Previous} {
		if r != nil {
			identify(r, s.Slots(), r.Slot)
		}
	}
	if j.Outgoing != nil {
		identify(j.Outgoing, slot.View(s.outgoingPath()), slot.A)
	}
	index := *j.OneIndex
	j.OneIndex = nil
	if index == 0 {
		return nil
	}
	if j.Current == nil { // it was lost once, and made up for
		return s.recollect(j)
	}
	l := line{RollbackIndex: index}
	for _, r := range []*Release{j.Current, j.Previous} {
		if r != nil && r.Name == j.Current.Name && r.Sequence == index {
			l.Newest = r.Identity
		}
	}
	j.Name, j.Names = j.Current.Name, map[string]line{j.Current.Name: l}
	return nil
}
