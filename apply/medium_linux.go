package apply

import (
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// keptFlags are the flags of a mount that a change of it must name again: those that are left out are taken off.
var keptFlags = map[string]uintptr{"nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "noatime": unix.MS_NOATIME,
	"relatime": unix.MS_RELATIME, "sync": unix.MS_SYNCHRONOUS, "dirsync": unix.MS_DIRSYNC, "nosymfollow": unix.MS_NOSYMFOLLOW}

// remount makes a mounted file system one for reading only, or one for writing. What was written is on the medium when it is one for
// reading only again.
func remount(m host.Mount, readOnly bool) error {
	flags := uintptr(unix.MS_REMOUNT)
	for option, flag := range keptFlags {
		if m.Has(option) {
			flags |= flag
		}
	}
	if readOnly {
		flags |= unix.MS_RDONLY
	}
	return unix.Mount("", m.Point, "", flags, "")
}
