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
		Kernel: KernelPart{plainKernel, func(slot string) string { return strings.ReplaceAll(kernelPath(slot)[1:], `\`, "/") }},
		Install: func(m *Machine, dir string) error {
			if err := UEFI(m, dir); err != nil {
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
	return entries(m, 1, kernelPath("A"), efivar.LoadOption{Description: "A", Optional: efivar.OfText(slotOptions("A"))})
}

// firstNumber is that of the first entry that a machine finds.
const firstNumber = 0x10

// entries makes n boot entries of a program on the ESP, which is the first partition, and a BootOrder of them.
func entries(m *Machine, n uint16, path string, o efivar.LoadOption) error {
	guid, err := efivar.ParseGUID(partitionID(1))
	if err != nil {
		return err
	}
	start, size := m.Layout.Offset(labelESP)
	o.Attributes = efivar.Active
	o.Paths = efivar.File{Partition: guid, Path: path}.DevicePath(efivar.Place{Number: 1, Start: uint64(start / sectorSize), Size: uint64(size / sectorSize)})
	var all []variable
	var order []byte
	for number := uint16(firstNumber); number < firstNumber+n; number++ {
		all = append(all, variable{efivar.BootEntry(number), o.Append(nil)})
		order = binary.LittleEndian.AppendUint16(order, number)
	}
	return preset(m.Vars, append(all, variable{efivar.BootOrder, order}))
}
