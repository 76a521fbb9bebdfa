package apply

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/rauc"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const (
	backendRAUC = "rauc"
	// raucPart is the one part of an operating system that RAUC installs: its bundle.
	raucPart = "bundle"
)

// RAUCConfig says where RAUC is.
type RAUCConfig struct {
	// Bus is the address of the D-Bus that RAUC is on; the default is the system bus.
	Bus string `json:"bus"`
}

func checkRAUC(s *SlotsConfig, fail failFunc) {
	noTries(s, "RAUC's boot loader", fail)
	for _, c := range []struct {
		field string
		slot  *SlotConfig
	}{{"a", s.A}, {"b", s.B}} {
		if c.slot == nil || len(c.slot.Parts) == 0 {
			continue
		}
		if names := slices.Sorted(maps.Keys(c.slot.Parts)); len(names) != 1 || names[0] != raucPart {
			fail("spec.slots."+c.field+".parts", fmt.Sprintf("has %q, and RAUC installs one part, named %s", names, raucPart),
				"name the file in which RAUC's bundle waits, as in {bundle: /var/lib/sallyport/os/"+c.field+".raucb}")
		}
	}
}

func openRAUC(s *SlotsConfig, names slot.BootNames, h host.Host, disk durable.Disk) (slot.Loader, error) {
	c := rauc.Config{Names: names, Disk: disk, Bundles: map[slot.Name]string{}}
	if s.RAUC != nil {
		c.Bus = s.RAUC.Bus
	}
	for n, one := range map[slot.Name]*SlotConfig{slot.A: s.A, slot.B: s.B} {
		if place := one.Parts[raucPart]; place != "" {
			c.Bundles[n] = h.Path(place)
		}
	}
	return rauc.New(c), nil
}
