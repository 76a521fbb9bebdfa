package apply

import (
	"errors"
	"os"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// A new release takes the slot of the previous one. Until the new one is committed the previous release is kept aside,
// so that a failed update costs nothing: its slot is filled with the previous release again. (A slot that is also a
// partition cannot be kept aside; backends that have such will not.)

func (s *Site) outgoingPath() string { return s.path("outgoing") }

// keepAside copies the previous release out of the slot that is about to be refilled.
func (r *run) keepAside(n slot.Name) error {
	p := r.journal.Previous
	if p == nil || p.Slot != n {
		return nil
	}
	held, err := r.slots.Load(n)
	if err != nil || held.Digest() != p.Digest {
		return nil // the slot is damaged or refilled: what was kept before, if anything, stands
	}
	aside, err := slot.Open(r.outgoingPath(), r.deps.Disk)
	if err != nil {
		return err
	}
	return aside.Fill(slot.A, held)
}

// bringBack fills the slot with the release that was kept aside, unless the slot holds it. What can be rolled back to
// afterwards is returned: nil if nothing was kept.
func (r *run) bringBack(kept *Release) (*Release, error) {
	if kept == nil {
		return nil, nil
	}
	if _, err := r.loadSlot(*kept); err == nil {
		return kept, nil
	}
	held, err := slot.View(r.outgoingPath()).Load(slot.A)
	if err != nil || held.Digest() != kept.Digest {
		return nil, nil // lost, which costs the way back but must not stop the way on
	}
	return kept, r.slots.Fill(kept.Slot, held)
}

// dropAside forgets what was kept aside once nothing can ask for it any more.
func (r *run) dropAside() error {
	if r.journal.Outgoing != nil || r.journal.Phase != Idle {
		return nil
	}
	if _, err := os.Lstat(r.outgoingPath()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := r.deps.Disk.RemoveAll(r.outgoingPath()); err != nil {
		return stateError(err)
	}
	return nil
}
