package bootrig

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
)

// EFI is UEFI firmware alone, which starts the kernel of a slot. It finds an entry of slot A; that of slot B is sallyport's to make.
func EFI() Loader {
	var slots strings.Builder
	slots.WriteString("backend: efi\n    efi:\n")
	for _, slot := range []string{"A", "B"} {
		fmt.Fprintf(&slots, "      %s: {path: '%s', partition: %s, options: %s}\n", strings.ToLower(slot), kernelPath(slot), partitionID(1), slotOptions(slot))
	}
	return Loader{
		Name: "efi", Slots: strings.TrimSpace(slots.String()),
		Partitions: func(ctx context.Context, w *Workshop, dir string) ([]Partition, error) {
			return esp(ctx, dir, nil, map[string]string{"EFI/A/linux.efi": w.vmlinuz(), "EFI/B/linux.efi": w.vmlinuz()})
		},
		Install: func(m *Machine, dir string) error {
			if err := uefi(m, dir); err != nil {
				return err
			}
			return firstEntry(m)
		},
		SetUp: func(*Running) error { return nil },
	}
}

func kernelPath(slot string) string { return `\EFI\` + slot + `\linux.efi` }

// firstEntry makes the entry of slot A, as a person does with efibootmgr.
func firstEntry(m *Machine) error {
	const number = 0x10
	guid, err := efivar.ParseGUID(partitionID(1))
	if err != nil {
		return err
	}
	start, size := m.Layout.Offset(labelESP)
	file := efivar.File{Partition: guid, Path: kernelPath("A")}
	entry := efivar.LoadOption{
		Attributes: efivar.Active, Description: "A", Optional: efivar.OfText(slotOptions("A")),
		Paths: file.DevicePath(efivar.Place{Number: 1, Start: uint64(start / sectorSize), Size: uint64(size / sectorSize)}),
	}
	return preset(m.Vars, []variable{
		{fmt.Sprintf("Boot%04X", number), entry.Append(nil)},
		{"BootOrder", binary.LittleEndian.AppendUint16(nil, number)},
	})
}
