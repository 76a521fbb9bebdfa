package apply

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/grub"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// BootSetup is what was done to have a boot loader boot the site's slots.
type BootSetup = grub.SetupResult

// rootPart is the part that has the root file system of a slot.
const rootPart = "root"

// SetUpBoot has the boot loader of that name, which is GRUB, boot the slots of the site. A state of the slots that is there stays,
// unless force asks for a new one.
func (c *Config) SetUpBoot(loader string, force bool) (*BootSetup, error) {
	return c.setUpBoot(loader, force, host.Host{}, durable.Disk{})
}

func (c *Config) setUpBoot(loader string, force bool, h host.Host, disk durable.Disk) (*BootSetup, error) {
	s := &c.Spec.Slots
	if loader != backendGRUB {
		return nil, errorf("usage", "write --boot grub; docs/bootloaders.md says how the others are set up", "sallyport sets up no boot loader %q", loader)
	}
	if s.Backend != backendGRUB {
		return nil, errorf("spec", "write slots: {backend: grub, a: {boot: A, parts: {root: /dev/disk/by-partlabel/root-a}}, b: {…}} there, then run the same command again",
			"spec.slots.backend of %s is %s", c.path, s.Backend)
	}
	setup := grub.Setup{Config: s.grubConfig(s.bootNames(), h, disk), Force: force, Roots: map[slot.Name]string{}}
	for n, sc := range map[slot.Name]*SlotConfig{slot.A: s.A, slot.B: s.B} {
		if setup.Roots[n] = sc.Parts[rootPart]; setup.Roots[n] == "" {
			return nil, errorf("spec", "name it so, or write sallyport.cfg by hand, as docs/bootloaders.md says", "slot %s in %s has no part %s", n, c.path, rootPart)
		}
	}
	result, err := setup.Run()
	if err != nil {
		return nil, fmt.Errorf("GRUB cannot be set up: %w", err)
	}
	return result, nil
}
