package bootrig

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// GRUB is GRUB on a BIOS: a partition of its own for its core, and one for grub.cfg that the machine mounts at /boot.
func GRUB() Loader { return withScript(onBIOS(grubConfig)) }

// GRUBEFI is GRUB as a program of UEFI firmware, on an ESP that holds nothing else.
func GRUBEFI() Loader { return withScript(onUEFI(grubConfig)) }

// grubConfig is what an administrator has: a console, and sallyport's script once there is one.
const grubConfig = `serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
if [ -f $prefix/sallyport.cfg ]; then
  source $prefix/sallyport.cfg
else
  set root=(hd0,gpt3)
  linux /boot/vmlinuz root=PARTLABEL=root-a ` + kernelArgs + `
  if [ -f /boot/initrd.img ]; then initrd /boot/initrd.img; fi
  boot
fi
`

// withScript sets GRUB up for sallyport, as docs/bootloaders.md says.
func withScript(l Loader) Loader {
	l.Slots = "backend: grub"
	l.SetUp = func(r *Running) error {
		a, err := r.Run(program, "site", "init", "--boot", "grub")
		if err == nil && a.Exit != 0 {
			err = errors.New(a.Err)
		}
		if err != nil {
			return fmt.Errorf("site init --boot grub: %w", err)
		}
		return steps(reboot, boots("A", First))(r)
	}
	return l
}

// onBIOS is GRUB on a BIOS with a grub.cfg.
func onBIOS(config string) Loader {
	return Loader{
		Name: "grub",
		Partitions: func(ctx context.Context, _ *Workshop, dir string) ([]Partition, error) {
			if err := grubBIOS(ctx, filepath.Join(dir, "core.img"), grubPrefix); err != nil {
				return nil, err
			}
			boot, err := grubBoot(ctx, dir, config)
			return []Partition{{Label: biosGrubLabel, Type: "ef02", MiB: 1}, boot}, err
		},
		Install: func(m *Machine, dir string) error {
			return installBIOS(m.Disk, m.Layout, filepath.Join(dir, "core.img"))
		},
	}
}

// onUEFI is GRUB as a program of UEFI firmware with a grub.cfg.
func onUEFI(config string) Loader {
	return Loader{
		Name: "grub-efi",
		Partitions: func(ctx context.Context, _ *Workshop, dir string) ([]Partition, error) {
			tree, file := filepath.Join(dir, "esp.d"), filepath.Join(dir, "esp.img")
			if err := grubEFI(ctx, filepath.Join(tree, "EFI/BOOT/BOOTX64.EFI"), grubPrefix); err != nil {
				return nil, err
			}
			if err := fat(ctx, file, tree, "ESP", espMiB*mib); err != nil {
				return nil, err
			}
			boot, err := grubBoot(ctx, dir, config)
			return []Partition{{Label: labelESP, Type: "ef00", MiB: espMiB, File: file}, boot}, err
		},
		Install: UEFI,
	}
}

// grubPrefix is where GRUB finds its folder.
const grubPrefix = "(hd0,gpt2)/grub"

// grubBoot is the partition that the machine mounts at /boot.
func grubBoot(ctx context.Context, dir, config string) (Partition, error) {
	tree, file := filepath.Join(dir, "boot.d"), filepath.Join(dir, "boot.img")
	if err := writeFile(filepath.Join(tree, grubConfigPath), config); err != nil {
		return Partition{}, err
	}
	return Partition{Label: labelBoot, Type: "8300", MiB: 16, File: file}, ext4(ctx, file, tree, labelBoot, 16*mib)
}
