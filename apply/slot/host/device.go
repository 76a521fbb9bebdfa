package host

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// standInMajor is the kernel's major number of devices that have none of their own.
const standInMajor = 259

// BlockDevice is the number, major:minor, of the block device at path; false of anything else. In a machine that stands for
// another one a regular file in /dev is a device, too: with the number that /sys/class/block has under its name, or else one made
// of its inode.
func (h Host) BlockDevice(path string) (number string, ok bool) {
	info, err := os.Stat(h.Path(path))
	if err != nil {
		return "", false
	}
	st, known := info.Sys().(*syscall.Stat_t)
	switch {
	case !known:
		return "", false
	case info.Mode()&fs.ModeDevice != 0 && info.Mode()&fs.ModeCharDevice == 0:
		dev := uint64(st.Rdev) //nolint:unconvert // its type is another one on other systems
		return fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)), true
	case h.Root == "" || !info.Mode().IsRegular() || !holds("/dev", filepath.Clean(path)):
		return "", false
	}
	real, err := h.resolve(path)
	if err != nil {
		return "", false
	}
	if text, err := h.read("/sys/class/block/"+filepath.Base(real)+"/dev", maxNumberFile); err == nil {
		return strings.TrimSpace(text), true
	}
	return fmt.Sprintf("%d:%d", standInMajor, st.Ino), true
}
