package watchdog

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// maxTimeout is the longest time that is asked for: drivers count seconds, some in 16 bits.
const maxTimeout = 65535 * time.Second

// controller is the identity of the driver of a management controller's watchdog (drivers/char/ipmi/ipmi_watchdog.c). It tells
// nothing of what it can, and goes on running when its device is closed without a "V".
const controller = "IPMI"

// Arm starts the machine's watchdog and leaves it running, unfed: unless somebody feeds it, it resets the machine after the time
// that is returned. That is what the driver says it took, about want, and no less than least: otherwise it is stopped again, and
// Arm returns a *ShortError. ErrNone and *HeldError are machines that are none the worse.
func Arm(h host.Host, want, least time.Duration) (took time.Duration, err error) {
	d, err := Look(h)
	switch {
	case err != nil:
		return 0, err
	case d == nil:
		return 0, ErrNone
	case d.Most > 0 && d.Most < least:
		return 0, &ShortError{*d, d.Most, least}
	case d.Most > 0:
		want = min(want, d.Most)
	}
	f, err := os.OpenFile(d.Path, os.O_WRONLY, 0) // from here on it runs
	if errors.Is(err, unix.EBUSY) {
		return 0, &HeldError{*d}
	}
	if err != nil {
		return 0, err
	}
	took, err = set(f, min(want, maxTimeout))
	if err == nil && took < least {
		err = &ShortError{*d, took, least}
	}
	if err != nil {
		_, stop := f.WriteString("V")
		return 0, errors.Join(err, stop, f.Close())
	}
	return took, f.Close()
}

// set gives the watchdog its time and its last food, and returns the time that the driver says it took.
func set(f *os.File, want time.Duration) (time.Duration, error) {
	fd := int(f.Fd())
	info, err := unix.IoctlGetWatchdogInfo(fd)
	if err != nil {
		return 0, fmt.Errorf("the watchdog does not say what it can: %w", err)
	}
	if info.Options&unix.WDIOF_MAGICCLOSE == 0 && unix.ByteSliceToString(info.Identity[:]) != controller {
		return 0, errors.New("the watchdog stops when its device is closed, so it cannot be left running")
	}
	// A driver that takes another time, or none, tells so below.
	err = unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, int((want+time.Second-1)/time.Second))
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP) {
		return 0, fmt.Errorf("the watchdog takes no time: %w", err)
	}
	seconds, err := unix.IoctlGetUint32(fd, unix.WDIOC_GETTIMEOUT)
	if err != nil {
		return 0, fmt.Errorf("the watchdog does not say what time it took: %w", err)
	}
	if err := unix.IoctlWatchdogKeepalive(fd); err != nil {
		return 0, fmt.Errorf("the watchdog cannot be fed: %w", err)
	}
	return time.Duration(seconds) * time.Second, nil
}
