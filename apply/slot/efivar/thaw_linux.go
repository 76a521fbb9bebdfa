package efivar

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// immutable is FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

// thaw takes away the flag "immutable", which Linux gives to each variable that it does not know, so that nobody deletes one by
// mistake. freeze gives it back.
func thaw(path string) (freeze func() error, err error) {
	none := func() error { return nil }
	flags, err := change(path, 0, immutable)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		return none, nil // there is no such file, or file systems of this kind know no flags
	}
	if err != nil || flags&immutable == 0 {
		return none, err
	}
	return func() error {
		_, err := change(path, immutable, 0)
		return err
	}, nil
}

// change sets and clears flags of a file, and returns those that it had.
func change(path string, set, unset uint32) (old uint32, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fd := int(f.Fd())
	if old, err = unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS); err != nil {
		return 0, err
	}
	if flags := old&^unset | set; flags != old {
		err = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags))
	}
	return old, err
}
