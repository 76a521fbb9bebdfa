package apply

import (
	"context"
	"fmt"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Tagged is the release whose images the mirror answers for by name: the one that runs. It is nil on a site without a
// release, and during a trial, when tags are on their way.
func (s *Site) Tagged() (*bundle.Descriptor, error) {
	j, err := s.readJournal()
	if err != nil || j.Current == nil || j.Trial != nil {
		return nil, err
	}
	return s.heldIn(s.Slots(), *j.Current, j.Current.Slot)
}

// imagesByName asks the mirror for every image of the release that is on trial, by digest and by its name: by that the
// runtime asks for what the release does not pin.
func (r *run) imagesByName(ctx context.Context, rel *slotRelease) error {
	if err := r.imagesServed(ctx, rel); err != nil {
		return err
	}
	for _, img := range rel.descriptor.Images {
		if err := r.mirror.CheckTag(ctx, img); err != nil {
			return fmt.Errorf("image %s: %w", img.Name, err)
		}
	}
	return nil
}
