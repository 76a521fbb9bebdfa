package part

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// inUse is what the kernel tells of the use of its devices. A machine that stands for another one need not tell anything.
func inUse(h host.Host) (mounts []host.Mount, swaps []string, err error) {
	if mounts, err = h.Mounts(); err == nil || standsIn(h, err) {
		swaps, err = h.Swaps()
	}
	if standsIn(h, err) {
		err = nil
	}
	return mounts, swaps, err
}

func standsIn(h host.Host, err error) bool { return h.Root != "" && errors.Is(err, fs.ErrNotExist) }

// mountedOn tells whether a mount is on the device, or on one that shares blocks with it. File systems that span several devices
// have a number that is nobody's; what was mounted tells of them.
func mountedOn(h host.Host, m host.Mount, dev uint64) bool {
	for _, d := range devicesOf(h, m) {
		if overlap(h, d, dev) {
			return true
		}
	}
	return false
}

func devicesOf(h host.Host, m host.Mount) (all []uint64) {
	if d, err := parseDev(m.Device); err == nil {
		all = append(all, d)
	}
	if d, ok := deviceAt(h, m.Source); ok {
		all = append(all, d)
	}
	return all
}

// Writable is where the device of a place is mounted for writing; empty if it is not, or if the place is a file.
func Writable(h host.Host, path string) (point string, err error) {
	dev, ok := deviceAt(h, path)
	if !ok {
		return "", nil
	}
	mounts, _, err := inUse(h)
	for _, m := range mounts {
		if !m.ReadOnly && mountedOn(h, m, dev) {
			return m.Point, nil
		}
	}
	return "", err
}

// parseDev reads a device number as the kernel prints it: 259:2.
func parseDev(s string) (uint64, error) {
	major, minor, ok := strings.Cut(strings.TrimSpace(s), ":")
	ma, err1 := strconv.ParseUint(major, 10, 32)
	mi, err2 := strconv.ParseUint(minor, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%.40q is not a device number", s)
	}
	return unix.Mkdev(uint32(ma), uint32(mi)), nil
}

// number prints a device number as the kernel does.
func number(dev uint64) string { return fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)) }
