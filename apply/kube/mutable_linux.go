package kube

import "golang.org/x/sys/unix"

// mutable tells of the flags by which a file or folder keeps its names even from root: chattr +i and +a. A file system
// without such flags has none set.
func mutable(path string) error {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, 0, &st)
	if err == nil && st.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0 {
		return errImmutable
	}
	return nil // what else is wrong with it shows elsewhere
}
