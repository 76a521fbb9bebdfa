package apply

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/grub"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const backendGRUB = "grub"

// GRUBConfig is what the backend grub has to know.
type GRUBConfig struct {
	// Env is the file of GRUB's environment block; the default is /boot/grub/grubenv.
	Env string `json:"env"`
	// Dialect is empty for the variables of the script that sallyport ships, or rauc for those of RAUC's.
	Dialect string `json:"dialect"`
}

func checkGRUB(s *SlotsConfig, fail failFunc) {
	s.checkNames(grub.ValidName, fail)
	if s.GRUB == nil {
		return
	}
	switch s.GRUB.Dialect {
	case grub.Plain:
	case grub.RAUC:
		if s.Tries > 1 {
			fail("spec.slots.tries", fmt.Sprintf("is %d, and RAUC's script tries a slot once", s.Tries), "remove it")
		}
	default:
		fail("spec.slots.grub.dialect", fmt.Sprintf("%q %s", s.GRUB.Dialect, unsupported), "use rauc, or remove it")
	}
}

// grubEnv is the file of GRUB's environment block.
func (s *SlotsConfig) grubEnv() string {
	if s.GRUB == nil || s.GRUB.Env == "" {
		return grub.DefaultEnv
	}
	return s.GRUB.Env
}

func (s *SlotsConfig) grubConfig(names slot.BootNames, h host.Host, disk durable.Disk) grub.Config {
	c := grub.Config{Env: s.grubEnv(), Names: names, Tries: s.Tries, Host: h, Disk: disk}
	if s.GRUB != nil {
		c.Dialect = s.GRUB.Dialect
	}
	return c
}

func openGRUB(s *SlotsConfig, names slot.BootNames, h host.Host, disk durable.Disk) (slot.Loader, error) {
	return grub.New(s.grubConfig(names, h, disk))
}
