package bootrig

import (
	"context"
	"path/filepath"
)

// GRUB is GRUB on a BIOS: a partition of its own for its core, and one for grub.cfg that the machine mounts at /boot.
func GRUB(config string) Loader {
	return Loader{
		Name: "grub",
		Partitions: func(ctx context.Context, _ *Workshop, dir string) ([]Partition, error) {
			core := filepath.Join(dir, "core.img")
			if err := grubBIOS(ctx, core, "(hd0,gpt2)/grub"); err != nil {
				return nil, err
			}
			boot := filepath.Join(dir, "boot.d")
			if err := writeFile(filepath.Join(boot, grubConfigPath), config); err != nil {
				return nil, err
			}
			file := filepath.Join(dir, "boot.img")
			if err := ext4(ctx, file, boot, labelBoot, 16*mib); err != nil {
				return nil, err
			}
			return []Partition{{Label: biosGrubLabel, Type: "ef02", MiB: 1}, {Label: labelBoot, Type: "8300", MiB: 16, File: file}}, nil
		},
		Install: func(_ context.Context, m *Machine, dir string) ([]string, error) {
			return nil, installBIOS(m.Disk, m.Layout, filepath.Join(dir, "core.img"))
		},
	}
}
