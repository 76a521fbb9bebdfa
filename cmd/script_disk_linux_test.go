//go:build !site

package cmd

import (
	"os"

	"golang.org/x/sys/unix"
)

// mountDisk puts an empty disk of that size, such as 2m, at dir.
func mountDisk(dir, size string) error {
	return os.NewSyscallError("mount", unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size))
}

func unmountDisk(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }

// canMount tells whether this process may mount: a root of a container may not.
func canMount() bool {
	dir, err := os.MkdirTemp("", "disk")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	return mountDisk(dir, "64k") == nil && unmountDisk(dir) == nil
}
