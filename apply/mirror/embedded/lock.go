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
// sweep, which may come from another process: what it has not marked must not become needed meanwhile.
const (
	serveLock = "serve.lock"
	writeLock = "write.lock"
	lockPoll  = 20 * time.Millisecond
)

func lockServe(dir string) (*os.File, error) {
	f, err := openLock(dir, serveLock)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrServed
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// lockWrite takes the write lock; how is unix.LOCK_SH or unix.LOCK_EX. Closing the file gives it up.
func lockWrite(ctx context.Context, dir string, how int) (*os.File, error) {
	f, err := openLock(dir, writeLock)
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

func openLock(dir, name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o644)
}
