package apply

import "github.com/sallyport-dev/sallyport/bundle"

// Tagged is the release whose images the mirror answers for by name: the one that runs. It is nil on a site without a
// release, and during a trial, when tags are on their way.
func (s *Site) Tagged() (*bundle.Descriptor, error) {
	j, err := s.readJournal()
	if err != nil || j.Current == nil || j.Trial != nil {
		return nil, err
	}
	return s.heldIn(s.Slots(), *j.Current, j.Current.Slot)
}
