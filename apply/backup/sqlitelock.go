package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// SQLite's locks are fcntl locks on bytes of the database and of the log's index: https://www.sqlite.org/walformat.html,
// "WAL Locks", and https://www.sqlite.org/lockingv3.html.
const (
	pendingByte = 0x40000000
	sharedFirst = pendingByte + 2
	sharedSize  = 510

	walWriteLock      = 120 // who adds to the log
	walCheckpointLock = 121 // who moves its pages into the database
)

const (
	// lockPatience is how long is waited for a lock; a writer holds one for as long as a transaction.
	lockPatience = 10 * time.Second
	lockEvery    = 5 * time.Millisecond
)

// dbLocks hold a database still.
type dbLocks struct {
	path  string
	main  *os.File // the lock "shared" is held on it: nobody rewrites it, but by a checkpoint
	index *os.File // the checkpoint's lock is held on it; nil where the database has no log
	log   bool     // there was a log's index
}

// lockDatabase takes a reader's lock, and keeps checkpoints away. They do not stop those who add to the log.
func lockDatabase(ctx context.Context, path string) (_ *dbLocks, err error) {
	l := &dbLocks{path: path}
	defer func() {
		if err != nil {
			l.release()
		}
	}()
	if l.main, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	// A writer that waits for its readers has the pending byte, and no new reader comes in.
	for _, r := range [][2]int64{{pendingByte, 1}, {sharedFirst, sharedSize}} {
		if err := l.lock(ctx, l.main, unix.F_RDLCK, r[0], r[1]); err != nil {
			return nil, err
		}
	}
	if err := lockRange(l.main, unix.F_UNLCK, pendingByte, 1); err != nil {
		return nil, err
	}
	l.index, err = os.OpenFile(path+"-shm", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	l.log = true
	return l, l.lock(ctx, l.index, unix.F_WRLCK, walCheckpointLock, 1)
}

// holdLog keeps writers away from the log.
func (l *dbLocks) holdLog(ctx context.Context) error {
	if l.index == nil {
		return nil
	}
	return l.lock(ctx, l.index, unix.F_WRLCK, walWriteLock, 1)
}

// held tells whether the locks were on the files that are in use: a log may have been begun since.
func (l *dbLocks) held() error {
	_, err := os.Stat(l.path + "-shm")
	if begun := err == nil; begun != l.log {
		return faultf("try again", "database %s was opened or closed while it was copied", l.path)
	}
	return nil
}

func (l *dbLocks) release() {
	for _, f := range []*os.File{l.index, l.main} {
		if f != nil {
			_ = f.Close() // which gives up the locks
		}
	}
}

func (l *dbLocks) lock(ctx context.Context, f *os.File, kind int16, from, size int64) error {
	for end := time.Now().Add(lockPatience); ; {
		err := lockRange(f, kind, from, size)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return err
		}
		if time.Now().After(end) {
			return faultf("see who holds it: fuser -v "+l.path, "%s is locked by a process that does not let go of it", filepath.Base(f.Name()))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockEvery):
		}
	}
}

func lockRange(f *os.File, kind int16, from, size int64) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: from, Len: size})
	if err != nil {
		return fmt.Errorf("%s cannot be locked: %w", f.Name(), err)
	}
	return nil
}
