package uboot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockPath is the lock of fw_printenv and fw_setenv.
const lockPath = "/var/lock/fw_printenv.lock"

const (
	lockPatience = 10 * time.Second
	lockPoll     = 20 * time.Millisecond
)

// lock keeps fw_setenv away until unlock is called.
func (l *Loader) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(l.cfg.Host.Path(lockPath), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%s is held by another program", lockPath), f.Close())
		case <-time.After(lockPoll):
		}
	}
}
