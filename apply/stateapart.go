package apply

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// stateApart wants the state folder to be on no part of a slot: the other slot's system would not find the journal there, and
// nobody would ever say that it is good.
func (s *Site) stateApart() error {
	dir := s.cfg.Spec.State
	mount, err := s.deps.Host.MountOf(dir)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir) // it is not there yet
		mount, err = s.deps.Host.MountOf(dir)
	}
	if err != nil {
		return stateError(err)
	}
	for _, n := range []slot.Name{slot.A, slot.B} {
		for name, place := range s.cfg.Spec.Slots.places(n) {
			if device, ok := s.deps.Host.BlockDevice(place); ok && device == mount.Device {
				return errorf("boot", "give it a partition of its own, mounted from both slots, and name it in spec.state of site.yaml",
					"the state folder %s is on %s, part %s of slot %s: the other slot's system would not have it", s.cfg.Spec.State, place, name, n)
			}
		}
	}
	return nil
}
