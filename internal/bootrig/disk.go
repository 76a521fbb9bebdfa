package bootrig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

const (
	mib        = 1 << 20
	sectorSize = 512
)

// Partition is one partition of a disk.
type Partition struct {
	Label string
	Type  string // as sgdisk names it: ef00 the ESP, ef02 GRUB's own, 8300 Linux
	MiB   int64
	// File is the image that is laid into it; empty leaves zeros.
	File string
}

// Layout is a disk's partitions, each with a start.
type Layout struct {
	Partitions []Partition
	starts     []int64
}

// Offset is where a partition begins on the disk, and how long it is, in bytes.
func (l *Layout) Offset(label string) (offset, size int64) {
	for i, p := range l.Partitions {
		if p.Label == label {
			return l.starts[i] * mib, p.MiB * mib
		}
	}
	return 0, 0
}

// makeDisk makes a disk file with a GPT, and lays the partitions' images into it.
func makeDisk(ctx context.Context, file string, parts []Partition) (*Layout, error) {
	l := &Layout{Partitions: parts}
	next := int64(1)
	args := []string{"--clear", "--set-alignment=1"}
	for i, p := range parts {
		l.starts = append(l.starts, next)
		first, last := next*mib/sectorSize, (next+p.MiB)*mib/sectorSize-1
		args = append(args, fmt.Sprintf("--new=%d:%d:%d", i+1, first, last),
			fmt.Sprintf("--typecode=%d:%s", i+1, p.Type), fmt.Sprintf("--change-name=%d:%s", i+1, p.Label),
			fmt.Sprintf("--partition-guid=%d:%s", i+1, partitionID(i+1)))
		next += p.MiB
	}
	disk, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer disk.Close()
	if err := disk.Truncate((next + 1) * mib); err != nil {
		return nil, err
	}
	if _, err := tool(ctx, "", "sgdisk", append(args, "--disk-guid="+partitionID(0), file)...); err != nil {
		return nil, err
	}
	for i, p := range parts {
		if p.File == "" {
			continue
		}
		if err := overlay(disk, l.starts[i]*mib, p.File); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// partitionID is the GUID of a partition; that of the disk for 0.
func partitionID(n int) string { return fmt.Sprintf("5a11e9a1-0000-4000-8000-%012x", n) }

// ext4 makes a file system of a folder. What changes it, its options, is left to who calls: a root has no journal.
func ext4(ctx context.Context, file, folder, label string, size int64, options ...string) error {
	if err := os.RemoveAll(file); err != nil {
		return err
	}
	args := []string{"-q", "-F", "-t", "ext4", "-b", "4096", "-L", label, "-U", partitionID(0xf5),
		"-E", "root_owner=0:0,hash_seed=" + partitionID(0xf6), "-d", folder}
	args = append(args, options...)
	_, err := tool(ctx, "", "mke2fs", append(args, file, fmt.Sprintf("%dk", size>>10))...)
	return err
}

// fat makes a FAT file system of a folder.
func fat(ctx context.Context, file, folder, label string, size int64) error {
	if err := os.RemoveAll(file); err != nil {
		return err
	}
	if _, err := tool(ctx, "", "mkfs.vfat", "-n", label, "-i", "5a11e9a1", "-C", file, fmt.Sprint(size>>10)); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := tool(ctx, "", "mcopy", "-i", file, "-s", filepath.Join(folder, e.Name()), "::"); err != nil {
			return err
		}
	}
	return nil
}
