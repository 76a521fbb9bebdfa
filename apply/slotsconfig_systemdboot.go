package apply

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const backendSystemdBoot = "systemd-boot"

// SystemdBootConfig says where systemd-boot finds its entries.
type SystemdBootConfig struct {
	// ESP is where the EFI system partition is mounted; the default is /efi.
	ESP string `json:"esp"`
	// XBOOTLDR is where the extended boot loader partition is mounted, if there is one.
	XBOOTLDR string `json:"xbootldr"`
}

func checkSystemdBoot(s *SlotsConfig, fail failFunc) {
	if c := s.SystemdBoot; c != nil {
		absolute("spec.slots.systemdBoot.esp", c.ESP, fail)
		absolute("spec.slots.systemdBoot.xbootldr", c.XBOOTLDR, fail)
	}
	s.checkNames(systemdboot.ValidName, fail)
	if s.A == nil || s.B == nil {
		return
	}
	if s.A.Boot != s.B.Boot && strings.EqualFold(s.A.Boot, s.B.Boot) {
		fail("spec.slots.b.boot", fmt.Sprintf("is %q, and that of slot a %q, which are one file on an ESP", s.B.Boot, s.A.Boot), "give the entries names that differ in more than case")
	}
}

func absolute(field, path string, fail failFunc) {
	if path != "" && !filepath.IsAbs(path) {
		fail(field, fmt.Sprintf("%q is not an absolute path", path), "write where the partition is mounted, as in "+systemdboot.DefaultESP)
	}
}

func openSystemdBoot(s *SlotsConfig, names slot.BootNames, h host.Host, disk durable.Disk) (slot.Loader, error) {
	c := systemdboot.Config{ESP: systemdboot.DefaultESP, Names: names, Tries: s.Tries, Host: h, Disk: disk}
	if own := s.SystemdBoot; own != nil {
		c.Extended = own.XBOOTLDR
		if own.ESP != "" {
			c.ESP = own.ESP
		}
	}
	return systemdboot.New(c), nil
}
