package part

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// device looks at a block device that is to be written.
func (f *fitter) device(p *place) error {
	dir, err := blockDir(f.host, p.dev)
	if err != nil && f.host.Root == "" {
		return p.plain(err)
	}
	if err := f.idle(p, dir); err != nil {
		return err
	}
	if attribute(dir, "ro") == "1" || attribute(dir, "force_ro") == "1" {
		return p.unfit(makeWritable, "the device is read-only")
	}
	return f.opens(p)
}

const makeWritable = "make it writable (blockdev --setrw, or force_ro in /sys for an eMMC boot partition), then try again"

// idle wants nobody to use the device, nor the disk that it is on as a whole.
func (f *fitter) idle(p *place, dir string) error {
	if f.runsFrom(p) {
		return p.unfit("correct spec.slots in site.yaml: the slot that runs is never written", "it is the device that the running system is on")
	}
	for _, m := range f.mounts {
		if mountedOn(f.host, m, p.dev) {
			return p.unfit("unmount it: umount "+m.Point, "it is mounted at %s", m.Point)
		}
	}
	for _, path := range f.swaps {
		if d, ok := deviceAt(f.host, path); ok && overlap(f.host, d, p.dev) {
			return p.unfit("stop using it: swapoff "+path, "it is used as swap")
		}
	}
	if users := holders(dir); len(users) > 0 {
		return p.unfit("take that device down first: lsblk shows what it belongs to", "it is in use: %s is made of it", strings.Join(users, ", "))
	}
	if name := loopOn(f.host, p.dev); name != "" {
		return p.unfit("detach it: losetup -d /dev/"+name, "it is in use: %s is made of it", name)
	}
	return nil
}

// runsFrom tells whether the root file system is on the device, through whatever lies between.
func (f *fitter) runsFrom(p *place) bool {
	for _, m := range f.mounts {
		if m.Point != "/" {
			continue
		}
		for _, root := range devicesOf(f.host, m) {
			if slices.ContainsFunc(below(f.host, root), func(d uint64) bool { return overlap(f.host, d, p.dev) }) {
				return true
			}
		}
	}
	return false
}

// opens opens the device as one that nobody else uses, and asks for its size.
func (f *fitter) opens(p *place) error {
	d, err := os.OpenFile(p.real, os.O_RDONLY|p.exclusive(), 0)
	if errors.Is(err, unix.EBUSY) {
		return p.unfit("find out who uses it: lsblk; fuser -v "+p.path, "it is in use")
	}
	if err != nil {
		return p.plain(err)
	}
	defer d.Close()
	if readOnly(d) {
		return p.unfit(makeWritable, "the device is read-only")
	}
	size, err := d.Seek(0, io.SeekEnd)
	if err != nil {
		return p.plain(err)
	}
	if want := f.sizes[p.part]; size < want {
		return p.unfit("make the partition larger, or ask for a release with a smaller image",
			"it holds %d bytes, and the image has %d", size, want)
	}
	return nil
}

// exclusive is the flag with which a place is opened that nobody else may use. It means that only of a block device.
func (p *place) exclusive() int {
	if info, err := os.Stat(p.real); err == nil && info.Mode()&os.ModeDevice != 0 {
		return unix.O_EXCL
	}
	return 0
}
