package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Two locks guard the folder, both given up by the system when a process dies. serveLock is held by the one process
// that serves it. writeLock is shared by requests while they make blobs or manifests visible, and exclusive to a
// sweep, which may come from another process: what it has not marked must not become needed meanwhile. Whoever can open
// a file can lock it; so nobody but the owner can.
const (
	serveLock = "serve.lock"
	writeLock = "write.lock"
	lockPoll  = 20 * time.Millisecond
)

func lockServe(dir string) (*os.File, error) {
	f, err := openLock(filepath.Join(dir, serveLock))
	if err != nil {
		return nil, err
	}
	// Look holds it for a moment to see whether anybody has it.
	for range 10 {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		time.Sleep(lockPoll / 2)
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrServed
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// lockFile waits for a lock; how is unix.LOCK_SH or unix.LOCK_EX. Closing the file gives it up.
func lockFile(ctx context.Context, path string, how int) (*os.File, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock: %w", err)
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for writers: %w", context.Cause(ctx))
		}
	}
}

// openLock opens a lock's file, and closes it to others if an earlier version did not.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && fi.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
