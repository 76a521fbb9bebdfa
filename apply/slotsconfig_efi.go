package apply

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efi"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const backendEFI = "efi"

// EFIConfig says what the boot entries of the slots start.
type EFIConfig struct {
	// Vars is where efivarfs is mounted; the default is the usual place.
	Vars string    `json:"vars"`
	A    *EFIEntry `json:"a"`
	B    *EFIEntry `json:"b"`
}

// EFIEntry is the boot entry of a slot: the firmware may give it any number, so it is known by what it starts.
type EFIEntry struct {
	// Path is that of the program, from the root of the partition's file system.
	Path string `json:"path"`
	// Partition is the unique GUID of the partition (PARTUUID).
	Partition string `json:"partition"`
	// Options is the command line that the program is handed; empty to leave what an entry has.
	Options string `json:"options"`
}

func checkEFI(s *SlotsConfig, fail failFunc) {
	if s.Tries > efi.Tries {
		fail("spec.slots.tries", fmt.Sprintf("is %d, and the firmware boots a trial once", s.Tries), "remove it, or write 1")
	}
	c := s.EFI
	if c == nil {
		c = &EFIConfig{}
	}
	absolute("spec.slots.efi.vars", c.Vars, fail)
	a, okA := c.A.check("spec.slots.efi.a", s.A, fail)
	b, okB := c.B.check("spec.slots.efi.b", s.B, fail)
	if okA && okB && a.Same(b.File) {
		fail("spec.slots.efi.b", "starts the same program as slot a", "give each slot a program of its own")
	}
}

func (e *EFIEntry) check(field string, of *SlotConfig, fail failFunc) (entry efi.Entry, ok bool) {
	if e == nil {
		fail(field, "is missing", `say what the slot's boot entry starts, as in {path: '\EFI\slot-a\linux.efi', partition: PARTUUID}`)
		return entry, false
	}
	entry, err := e.entry()
	if err != nil {
		fail(field+".partition", err.Error(), "write the PARTUUID that blkid tells")
	}
	if strings.Trim(e.Path, `\/`) == "" {
		fail(field+".path", fmt.Sprintf("%q is no path", e.Path), `write the path of the program on that partition, as in '\EFI\slot-a\linux.efi'`)
	}
	if of != nil && e.Options != "" && !slices.Contains(strings.Fields(e.Options), host.SlotParam+"="+of.Boot) {
		fail(field+".options", "do not tell the slot", "add "+host.SlotParam+"="+of.Boot)
	}
	return entry, err == nil
}

func (e *EFIEntry) entry() (efi.Entry, error) {
	g, err := efivar.ParseGUID(e.Partition)
	return efi.Entry{File: efivar.File{Partition: g, Path: e.Path}, Options: e.Options}, err
}

func openEFI(s *SlotsConfig, names slot.BootNames, h host.Host, disk durable.Disk) (slot.Loader, error) {
	a, err := s.EFI.A.entry()
	if err != nil {
		return nil, err
	}
	b, err := s.EFI.B.entry()
	if err != nil {
		return nil, err
	}
	return efi.New(efi.Config{Vars: s.EFI.Vars, A: a, B: b, Names: names, Host: h, Disk: disk}), nil
}
