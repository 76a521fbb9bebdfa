package apply

import (
	"context"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// partsFit finds out, without changing anything, whether the operating system of d can be written to a boot slot, and whether what
// its patches address is what the other slot holds.
func (r *run) partsFit(_ context.Context, d *bundle.Descriptor, _ slot.Name) error {
	return errorf("os", "ask for a release without an operating system", "%s %s brings an operating system, which this version cannot write", d.Name, d.Version)
}

// partsHold reads a boot slot and tells whether its parts are those of an operating system.
func (r *run) partsHold(context.Context, *bundle.OS, slot.Name) (bool, error) { return false, nil }
