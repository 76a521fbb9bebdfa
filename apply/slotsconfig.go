package apply

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/witness"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// backendNone is the backend of a site whose operating system is not ours.
const backendNone = "none"

// SlotsConfig says how slots are switched, and where the parts of the operating system are.
type SlotsConfig struct {
	Backend string `json:"backend"`
	// A and B are the loader's two slots; nil with the backend none.
	A *SlotConfig `json:"a"`
	B *SlotConfig `json:"b"`
	// Tries is how often the loader boots a slot on trial before it falls back; 0 is slot.DefaultTries.
	Tries int `json:"tries"`
	// KeepImages keeps a pristine copy of each part in the state folder, as the base of later deltas.
	KeepImages bool `json:"keepImages"`
	// Deadline is how long after a boot a trial may be undecided before the machine is booted again; the default is 15 min.
	Deadline *bundle.Duration `json:"deadline"`
	// Watchdog is how long the hardware watchdog is left to wait when sallyport reboots the machine; the default is 10 min, 0 is
	// not at all.
	Watchdog *bundle.Duration `json:"watchdog"`
	// UBoot is for the backend uboot.
	UBoot *UBootConfig `json:"uboot"`
	// GPTPrio is for the backend gptprio.
	GPTPrio *GPTPrioConfig `json:"gptprio"`
	// GRUB is for the backend grub; nil for what Debian has.
	GRUB *GRUBConfig `json:"grub"`
	// SystemdBoot is for the backend systemd-boot; nil for an ESP at /efi.
	SystemdBoot *SystemdBootConfig `json:"systemdBoot"`
	// EFI is for the backend efi.
	EFI *EFIConfig `json:"efi"`
	// RAUC is for the backend rauc; nil for the system bus.
	RAUC *RAUCConfig `json:"rauc"`
	// Exec is for the backend exec.
	Exec *ExecConfig `json:"exec"`
}

// SlotConfig is one slot of a boot loader.
type SlotConfig struct {
	// Boot is the loader's name of the slot.
	Boot string `json:"boot"`
	// Parts are the places of the slot's parts, by name: a block device, or a file on a mounted file system.
	Parts map[string]string `json:"parts"`
}

// maxTriesConfig is the largest number of tries that every loader can count.
const maxTriesConfig = 7

// loaderMaker makes the loader of a backend.
type loaderMaker func(s *SlotsConfig, names slot.BootNames, h host.Host, disk durable.Disk) (slot.Loader, error)

// loaders are the boot loaders that this program knows, by the name of their backend.
func loaders() map[string]loaderMaker {
	return map[string]loaderMaker{
		backendGRUB:        openGRUB,
		backendUBoot:       openUBoot,
		backendGPTPrio:     openGPTPrio,
		backendSystemdBoot: openSystemdBoot,
		backendEFI:         openEFI,
		backendRAUC:        openRAUC,
		backendExec:        openExec,
	}
}

// ownBlock is what site.yaml says to one backend alone.
type ownBlock struct {
	backend, key string
	given        bool
	check        func(s *SlotsConfig, fail failFunc)
}

func (s *SlotsConfig) ownBlocks() []ownBlock {
	return []ownBlock{
		{backendGRUB, "grub", s.GRUB != nil, checkGRUB},
		{backendUBoot, "uboot", s.UBoot != nil, checkUBoot},
		{backendGPTPrio, "gptprio", s.GPTPrio != nil, checkGPTPrio},
		{backendSystemdBoot, "systemdBoot", s.SystemdBoot != nil, checkSystemdBoot},
		{backendEFI, "efi", s.EFI != nil, checkEFI},
		{backendRAUC, "rauc", s.RAUC != nil, checkRAUC},
		{backendExec, "exec", s.Exec != nil, checkExec},
	}
}

// checkOwn wants only the block of this backend, and that one to be right.
func (s *SlotsConfig) checkOwn(fail failFunc) {
	for _, b := range s.ownBlocks() {
		switch {
		case b.backend == s.Backend:
			b.check(s, fail)
		case b.given:
			fail("spec.slots."+b.key, fmt.Sprintf("goes with backend: %s, and the backend is %s", b.backend, s.Backend), "remove it, or name that backend")
		}
	}
}

// OS tells whether the site's operating system is ours to change.
func (s *SlotsConfig) OS() bool { return s.Backend != backendNone }

func (s *SlotsConfig) check(fail failFunc) {
	s.checkOwn(fail)
	if s.Backend == backendNone {
		if s.A != nil || s.B != nil {
			fail("spec.slots", "has slots a and b, which go with a boot loader", "name the loader in backend, or remove a and b")
		}
		return
	}
	if known := slices.Sorted(maps.Keys(loaders())); !slices.Contains(known, s.Backend) {
		fail("spec.slots.backend", fmt.Sprintf("%q %s", s.Backend, unsupported), "use "+strings.Join(append(known, backendNone), ", "))
		return
	}
	if s.Tries < 0 || s.Tries > maxTriesConfig {
		fail("spec.slots.tries", fmt.Sprintf("is %d, not 1 to %d", s.Tries, maxTriesConfig), "")
	}
	s.A.check("spec.slots.a", fail)
	s.B.check("spec.slots.b", fail)
	if s.A == nil || s.B == nil {
		return
	}
	if s.A.Boot == s.B.Boot {
		fail("spec.slots.b.boot", fmt.Sprintf("is %q, as that of slot a", s.B.Boot), "give each slot the name that the boot loader has for it")
	}
	for _, name := range slices.Sorted(maps.Keys(s.A.Parts)) {
		place := s.A.Parts[name]
		other, ok := s.B.Parts[name]
		switch {
		case !ok:
			fail("spec.slots.b.parts", fmt.Sprintf("lacks %s, which slot a has", name), "give both slots the same parts")
		case other == place:
			fail("spec.slots.b.parts."+name, "is the place of slot a's part, too", "give each slot a place of its own")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.B.Parts)) {
		if _, ok := s.A.Parts[name]; !ok {
			fail("spec.slots.a.parts", fmt.Sprintf("lacks %s, which slot b has", name), "give both slots the same parts")
		}
	}
}

func (c *SlotConfig) check(field string, fail failFunc) {
	if c == nil {
		fail(field, "is missing", "describe both slots, as in a: {boot: A, parts: {root: /dev/disk/by-partlabel/root-a}}")
		return
	}
	if c.Boot == "" || strings.ContainsAny(c.Boot, " \t\n\"'\\$/") {
		fail(field+".boot", fmt.Sprintf("%q is not a name", c.Boot), "write the name that the boot loader has for the slot, such as A")
	}
	if len(c.Parts) == 0 {
		fail(field+".parts", "is missing", "name the place of each part, as in {root: /dev/disk/by-partlabel/root-a}")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Parts)) {
		if err := bundle.ValidPartName(name); err != nil {
			fail(field+".parts", err.Error(), "")
		}
		if c.Parts[name] == "" {
			fail(field+".parts."+name, "is empty", "name a block device or a file")
		}
	}
}

// checkNames wants the loader's names of the slots, where they are given, to be ones that it can have.
func (s *SlotsConfig) checkNames(valid func(name string) error, fail failFunc) {
	for _, c := range []struct {
		field string
		slot  *SlotConfig
	}{{"spec.slots.a.boot", s.A}, {"spec.slots.b.boot", s.B}} {
		if c.slot == nil || c.slot.Boot == "" {
			continue
		}
		if err := valid(c.slot.Boot); err != nil {
			fail(c.field, err.Error(), "")
		}
	}
}

// resolve makes the paths absolute.
func (s *SlotsConfig) resolve(base string) {
	if s.GRUB != nil && s.GRUB.Env != "" && !filepath.IsAbs(s.GRUB.Env) {
		s.GRUB.Env = filepath.Join(base, s.GRUB.Env)
	}
	for _, c := range []*SlotConfig{s.A, s.B} {
		if c == nil {
			continue
		}
		for name, place := range c.Parts {
			if !filepath.IsAbs(place) {
				c.Parts[name] = filepath.Join(base, place)
			}
		}
	}
}

// bootNames are the loader's names of the slots.
func (s *SlotsConfig) bootNames() slot.BootNames { return slot.BootNames{A: s.A.Boot, B: s.B.Boot} }

// openLoader makes the boot loader of a site that has one; of the slot that runs it is not the only witness.
func (s *SlotsConfig) openLoader(h host.Host) (slot.Loader, error) {
	l, err := loaders()[s.Backend](s, s.bootNames(), h, durable.Disk{})
	if err != nil {
		return nil, err
	}
	w := witness.New(l, h, s.bootNames(), map[slot.Name]map[string]string{slot.A: s.A.Parts, slot.B: s.B.Parts})
	w.Alone = s.Backend == backendExec
	return w, nil
}
