package kube

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// folderTime is how long the disk behind a folder may take to tell of it: one across a network may never do so.
	folderTime = 30 * time.Second
	// folderRoom is the room in bytes that a folder must have before anything is known of what goes into it.
	folderRoom = 64 << 10
)

// What keeps a folder from being written, beside what the system itself says.
var (
	errImmutable = errors.New("it is marked as immutable or append-only")
	errNoFile    = errors.New(FolderFile + " in it is not a regular file")
	errUnmounted = errors.New("it is empty, though releases were put there: its disk is not mounted")
)

// Ready tells whether the folder could be written, without writing. It has no version. prev is what this site may have
// put there.
func (f *Folder) Ready(ctx context.Context, prev Inventory) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, folderTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f.probe(prev) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return "", err
	case errors.Is(err, context.DeadlineExceeded):
		return "", f.failed("be looked at", &shortError{"no answer in time", err})
	}
	return "", f.failed("be written", err)
}

func (f *Folder) probe(prev Inventory) error {
	st, err := os.Stat(f.dir)
	if err != nil {
		return dangling(f.dir, err)
	}
	if !st.IsDir() {
		return errors.New("it is not a folder")
	}
	for _, ask := range []func() error{f.permitted, f.roomy, f.replaceable} {
		if err := ask(); err != nil {
			return err
		}
	}
	return f.mounted(prev)
}

// dangling says of a symbolic link that it is one, and of other errors what they say themselves.
func dangling(path string, err error) error {
	if to, failed := os.Readlink(path); failed == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it is a symbolic link to %s: %w", to, fs.ErrNotExist)
	}
	return bare(err)
}

// bare is the system's own reason, without the path that the message has already.
func bare(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// permitted asks whether this user may make and rename files there. On a file system that is mounted for reading, root
// may not either.
func (f *Folder) permitted() error {
	if err := unix.Faccessat(unix.AT_FDCWD, f.dir, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return err
	}
	return mutable(f.dir)
}

// roomy asks the file system whether a small file could still be made.
func (f *Folder) roomy() error {
	var st unix.Statfs_t
	if err := unix.Statfs(f.dir, &st); err != nil {
		return err
	}
	blocks := st.Bavail
	if os.Geteuid() == 0 {
		blocks = st.Bfree // what is kept back for root
	}
	if blocks*uint64(st.Bsize) < folderRoom || st.Files > 0 && st.Ffree == 0 {
		return syscall.ENOSPC
	}
	return nil
}

// replaceable asks whether the file, if it is there, can be read and give way to another.
func (f *Folder) replaceable() error {
	st, err := os.Stat(f.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // also of a symbolic link to nothing: it is replaced
	case err != nil:
		return bare(err)
	case !st.Mode().IsRegular():
		return errNoFile
	}
	if err := unix.Faccessat(unix.AT_FDCWD, f.path(), unix.R_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("%s in it: %w", FolderFile, err)
	}
	return mutable(f.path())
}

// mounted takes an empty folder for the place of a disk that is missing, if releases were put into it before.
func (f *Folder) mounted(prev Inventory) error {
	if prev.Len() == 0 {
		return nil
	}
	entries, err := os.ReadDir(f.dir)
	if err == nil && len(entries) == 0 {
		err = errUnmounted
	}
	return err
}
