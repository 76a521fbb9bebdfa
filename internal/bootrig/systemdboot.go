package bootrig

import (
	"context"
	"debug/pe"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
)

const (
	systemdBootProgram = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
	systemdBootPath    = "EFI/systemd/systemd-bootx64.efi" // on the ESP
	systemdStub        = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
)

// SystemdBoot is systemd-boot on an ESP, with a kernel and an entry of each slot.
func SystemdBoot() Loader {
	return withEntries("systemd-boot", "title Slot %s\nlinux /%[1]s/linux\noptions %s\n", plainKernel)
}

// plainKernel is a kernel as it is.
func plainKernel(_ context.Context, w *Workshop, _ string) (string, error) { return w.vmlinuz(), nil }

// SystemdBootUKI is systemd-boot with a unified kernel image in each slot. It has no command line of its own, so that one image
// fits either slot.
func SystemdBootUKI() Loader {
	return withEntries("systemd-boot-uki", "title Slot %s\nefi /%[1]s/linux\noptions %s\n", unified)
}

// withEntries is systemd-boot with entries of a form, which start a program that lies in the folder of each slot.
func withEntries(name, entry string, program func(ctx context.Context, w *Workshop, dir string) (string, error)) Loader {
	return Loader{
		Name: name, Slots: "backend: systemd-boot", Install: startedOften,
		Kernel: KernelPart{program, func(slot string) string { return slot + "/linux" }},
		Partitions: func(ctx context.Context, w *Workshop, dir string) ([]Partition, error) {
			linux, err := program(ctx, w, dir)
			if err != nil {
				return nil, err
			}
			texts := map[string]string{"loader/loader.conf": "timeout 0\n"}
			for file, slot := range map[string]string{"A.conf": "A", "B+0.conf": "B"} {
				texts["loader/entries/"+file] = fmt.Sprintf(entry, slot, slotOptions(slot))
			}
			return esp(ctx, dir, texts, map[string]string{systemdBootPath: systemdBootProgram, "A/linux": linux, "B/linux": linux})
		},
		SetUp: func(*Running) error { return nil },
	}
}

// startedOften gives a machine firmware that starts systemd-boot once more than a slot has tries: one that cannot load a kernel goes
// back to the firmware.
func startedOften(m *Machine, dir string) error {
	if err := UEFI(m, dir); err != nil {
		return err
	}
	path := "\\" + strings.ReplaceAll(systemdBootPath, "/", "\\")
	return entries(m, slot.DefaultTries+1, path, efivar.LoadOption{Description: "Linux Boot Manager"})
}

// unified makes a unified kernel image: systemd's stub with the kernel and an os-release in sections behind its own.
func unified(ctx context.Context, w *Workshop, dir string) (string, error) {
	stub, err := pe.Open(systemdStub)
	if err != nil {
		return "", err
	}
	defer stub.Close()
	header, ok := stub.OptionalHeader.(*pe.OptionalHeader64)
	if !ok {
		return "", fmt.Errorf("%s is no program for amd64", systemdStub)
	}
	release, image := filepath.Join(dir, "os-release"), filepath.Join(dir, "linux.efi")
	if err := writeFile(release, "ID=rig\nNAME=rig\nVERSION_ID=1\n"); err != nil {
		return "", err
	}
	args := []string{}
	next := header.ImageBase + uint64(header.SizeOfImage)
	for _, s := range []struct{ name, file string }{{".osrel", release}, {".linux", w.vmlinuz()}} {
		info, err := os.Stat(s.file)
		if err != nil {
			return "", err
		}
		next = (next + mib - 1) / mib * mib
		args = append(args, "--add-section", s.name+"="+s.file, "--change-section-vma", fmt.Sprintf("%s=%#x", s.name, next))
		next += uint64(info.Size())
	}
	_, err = tool(ctx, "", "objcopy", append(args, systemdStub, image)...)
	return image, err
}

// slotOptions is the command line of a slot's kernel.
func slotOptions(slot string) string {
	return fmt.Sprintf("root=PARTLABEL=%s %s panic=1 sallyport.slot=%s", rootLabel(slot), kernelArgs, slot)
}

func (w *Workshop) vmlinuz() string { return filepath.Join(w.kernel, "vmlinuz") }

// esp makes an ESP of texts and of copies of files.
func esp(ctx context.Context, dir string, texts, files map[string]string) ([]Partition, error) {
	tree, file := filepath.Join(dir, "esp.d"), filepath.Join(dir, "esp.img")
	for path, text := range texts {
		if err := writeFile(filepath.Join(tree, path), text); err != nil {
			return nil, err
		}
	}
	for path, from := range files {
		if err := copyFile(from, filepath.Join(tree, path)); err != nil {
			return nil, err
		}
	}
	if err := fat(ctx, file, tree, "ESP", espMiB*mib); err != nil {
		return nil, err
	}
	return []Partition{{Label: labelESP, Type: "ef00", MiB: espMiB, File: file}}, nil
}
