package grub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// writable are the file systems in which GRUB writes where Linux has put the block. Of btrfs, f2fs, zfs and others it can read
// files only; those of the network and of memory it does not see at all.
var writable = []string{"ext2", "ext3", "ext4", "vfat", "msdos", "exfat", "xfs"}

// checkPlace wants the block to lie where GRUB can write it, and where Linux can.
func (l *Loader) checkPlace() error {
	err := l.place()
	if err == nil {
		return nil
	}
	advice := "move GRUB's folder to an ext4 partition of its own and name its grubenv in spec.slots.grub.env of site.yaml"
	var locked *lockedError
	if errors.As(err, &locked) {
		advice = locked.advice
	}
	return &slot.UnreadyError{Text: "GRUB's environment block " + l.env + " cannot be relied on", Err: err, Advice: advice}
}

// lockedError is a place that GRUB can write and Linux cannot, or the other way round, until somebody changes a setting.
type lockedError struct {
	err    error
	advice string
}

func (e *lockedError) Error() string { return e.err.Error() }
func (e *lockedError) Unwrap() error { return e.err }

func (l *Loader) place() error {
	m, err := l.host.MountOf(l.env)
	if err != nil {
		return err
	}
	if err := checkMount(m); err != nil {
		return err
	}
	if err := checkDevice(l.host, m); err != nil {
		return err
	}
	f, err := os.OpenFile(l.host.Path(l.env), os.O_RDWR, 0)
	if err != nil {
		return &lockedError{err, "see to it that sallyport may write that file"}
	}
	defer f.Close()
	return checkExtents(f)
}

func checkMount(m host.Mount) error {
	switch {
	case !slices.Contains(writable, m.Type):
		return fmt.Errorf("it lies on %s (%s), where GRUB cannot write", m.Type, m.Point)
	case m.ReadOnly:
		return &lockedError{fmt.Errorf("%s is mounted read-only", m.Point), fmt.Sprintf("mount it for writing: mount -o remount,rw %s, and in /etc/fstab", m.Point)}
	case m.Has("data=journal"):
		return &lockedError{fmt.Errorf("%s is mounted with data=journal, and GRUB does not read the journal", m.Point),
			"take data=journal out of the options in /etc/fstab, or of the file system's own (tune2fs -o ^journal_data), and mount it again"}
	}
	return nil
}

// checkDevice wants the file system to lie on what GRUB takes for a disk: it writes neither to LVM nor to RAID, and a loop device
// is none for it.
func checkDevice(h host.Host, m host.Mount) error {
	dir, err := filepath.EvalSymlinks(h.Path(filepath.Join("/sys/dev/block", m.Device)))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s (%s) lies on no block device", m.Point, m.Source)
	}
	if err != nil {
		return err
	}
	_, below, found := strings.Cut(dir, virtual)
	if !found {
		return nil
	}
	name, _, _ := strings.Cut(below, "/")
	return fmt.Errorf("%s lies on %s, which is %s: GRUB cannot write there", m.Point, name, kindOf(h, name))
}

// virtual is where the kernel keeps the block devices that are none of hardware.
const virtual = "/sys/devices/virtual/block/"

// kindOf says what a virtual block device is.
func kindOf(h host.Host, name string) string {
	dir := filepath.Join(virtual, name)
	for _, k := range []struct{ mark, kind string }{{"md", "RAID"}, {"loop", "a loop device"}, {"bcache", "bcache"}} {
		if _, err := os.Stat(h.Path(filepath.Join(dir, k.mark))); err == nil {
			return k.kind
		}
	}
	const longest = 256
	uuid, err := os.ReadFile(h.Path(filepath.Join(dir, "dm", "uuid")))
	switch {
	case err != nil || len(uuid) > longest:
		return "no disk"
	case strings.HasPrefix(string(uuid), "LVM-"):
		return "LVM"
	}
	return "a device-mapper device"
}
