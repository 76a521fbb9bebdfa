package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// sysroot is where an initrd mounts the root file system.
const sysroot = "/sysroot"

// rootTime is how long an initrd waits for the disk.
const rootTime = time.Minute

// switchRoot goes over to the root file system that the kernel's command line names, and to its init. It returns only an error.
func switchRoot() error {
	root, _, err := host.Host{}.Param("root")
	if err != nil {
		return err
	}
	device := "/dev/disk/by-" + strings.ToLower(strings.Replace(root, "=", "/", 1))
	for end := time.Now().Add(rootTime); ; time.Sleep(100 * time.Millisecond) {
		namePartitions()
		if _, err = os.Stat(device); err == nil || time.Now().After(end) {
			break
		}
	}
	if err == nil {
		err = unix.Mount(device, sysroot, "ext4", unix.MS_RDONLY, "")
	}
	if err != nil {
		return fmt.Errorf("root=%s: %w", root, err)
	}
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run", "/tmp"} {
		err = errors.Join(err, unix.Mount(dir, sysroot+dir, "", unix.MS_MOVE, ""))
	}
	err = errors.Join(err, unix.Chdir(sysroot), unix.Mount(".", "/", "", unix.MS_MOVE, ""), unix.Chroot("."), unix.Chdir("/"))
	if err != nil {
		return err
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, os.Environ())
}
