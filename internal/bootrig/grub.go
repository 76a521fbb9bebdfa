package bootrig

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// modules are those of GRUB that a machine's grub.cfg may need; they are all in its core, so that no folder of them is read.
var modules = []string{"part_gpt", "part_msdos", "ext2", "fat", "normal", "configfile", "linux", "loadenv", "test", "search",
	"search_fs_file", "search_label", "echo", "reboot", "halt", "sleep", "serial", "terminal", "regexp", "probe", "minicmd", "true", "cat", "boot"}

// GRUB's own fields in the sectors that a BIOS loads; grub-bios-setup, which needs the device itself, fills them in.
const (
	grubDir        = "/usr/lib/grub"
	kernelSector   = 0x5c  // boot.img: where the core begins, in sectors
	driveCheck     = 0x66  // boot.img: a jump that is taken out for disks
	bootCodeEnd    = 440   // what of the first sector is not the partition table's
	coreListStart  = 0x1f4 // core.img, first sector: where the rest of it begins
	noOperation    = 0x90
	biosGrubLabel  = "bios"
	grubConfigPath = "grub/grub.cfg"
)

// grubBIOS makes GRUB's core for a BIOS, which reads PREFIX/grub.cfg.
func grubBIOS(ctx context.Context, file, prefix string) error {
	args := append([]string{"-O", "i386-pc", "-d", filepath.Join(grubDir, "i386-pc"), "-p", prefix, "-o", file, "biosdisk"}, modules...)
	_, err := tool(ctx, "", "grub-mkimage", args...)
	return err
}

// grubEFI makes GRUB as a program of the firmware's, which reads PREFIX/grub.cfg.
func grubEFI(ctx context.Context, file, prefix string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	args := append([]string{"-O", "x86_64-efi", "-d", filepath.Join(grubDir, "x86_64-efi"), "-p", prefix, "-o", file}, modules...)
	_, err := tool(ctx, "", "grub-mkimage", args...)
	return err
}

// installBIOS writes GRUB's first sector and its core, which is the image of the partition "bios", into the disk.
func installBIOS(disk string, l *Layout, core string) error {
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	boot, err := os.ReadFile(filepath.Join(grubDir, "i386-pc/boot.img"))
	if err != nil {
		return err
	}
	image, err := os.ReadFile(core)
	if err != nil {
		return err
	}
	offset, size := l.Offset(biosGrubLabel)
	if offset == 0 || int64(len(image)) > size || len(boot) < sectorSize || len(image) < sectorSize {
		return fmt.Errorf("GRUB's core of %d bytes does not fit its partition of %d", len(image), size)
	}
	first := uint64(offset / sectorSize)
	binary.LittleEndian.PutUint64(boot[kernelSector:], first)
	boot[driveCheck], boot[driveCheck+1] = noOperation, noOperation
	binary.LittleEndian.PutUint64(image[coreListStart:], first+1)
	_, err = f.WriteAt(boot[:bootCodeEnd], 0)
	_, err2 := f.WriteAt(image, offset)
	return errors.Join(err, err2)
}
