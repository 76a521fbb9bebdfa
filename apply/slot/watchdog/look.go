// Package watchdog leaves a machine's hardware watchdog running across a reboot: a shutdown that hangs, and a slot on trial that
// hangs before anything of ours runs there, end in a reset, which is a try taken.
//
// The interface of the kernel is told by its Documentation/watchdog/watchdog-api.rst and watchdog-kernel-api.rst: a device that is
// opened runs, whatever is written to it feeds it, and one that is closed goes on running unless a "V" was written before. Whether
// it outlives the reset of the machine is for the hardware; where it does, the kernel that boots next feeds it from when its driver
// is there until somebody opens it, or for as long as watchdog.open_timeout says.
package watchdog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// class is where the kernel tells of the first device, and misc where it tells that there is one.
const (
	class = "/sys/class/watchdog/watchdog0"
	misc  = "/sys/class/misc/watchdog"
)

// Device is the machine's first watchdog.
type Device struct {
	// Path is the device's file.
	Path string
	// Identity is the name that the driver gives it; it may be empty.
	Identity string
	// Timeout is after what time without food it resets the machine; Most is the longest that the driver takes, 0 if it does not
	// say.
	Timeout, Most time.Duration
	// Running tells that it counts now.
	Running bool
	// Stays tells that nothing stops it any more once it runs.
	Stays bool
	// Reset tells that the last boot was its doing, as far as the driver can tell.
	Reset bool
	// Silent tells that the kernel says none of this.
	Silent bool
}

// flagReset is WDIOF_CARDRESET in the status at boot.
const flagReset = 0x20

// Look says what watchdog the machine has, from what the kernel tells of it, and opens nothing; nil if it has none.
func Look(h host.Host) (*Device, error) {
	if _, err := os.Stat(h.Path(class)); errors.Is(err, fs.ErrNotExist) {
		return silent(h)
	} else if err != nil {
		return nil, err
	}
	d := &Device{Path: h.Path("/dev/watchdog0")}
	if _, err := os.Stat(d.Path); errors.Is(err, fs.ErrNotExist) {
		d.Path = h.Path("/dev/watchdog")
	}
	var flags time.Duration
	var state, stays string
	for name, set := range map[string]func(string) error{
		"identity":    func(s string) error { d.Identity = s; return nil },
		"state":       func(s string) error { state = s; return nil },
		"nowayout":    func(s string) error { stays = s; return nil },
		"timeout":     func(s string) error { return parse(s, time.Second, &d.Timeout) },
		"max_timeout": func(s string) error { return parse(s, time.Second, &d.Most) },
		"bootstatus":  func(s string) error { return parse(s, 1, &flags) },
	} {
		s, err := read(h.Path(filepath.Join(class, name)))
		if err == nil && s != "" {
			err = set(s)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // not every driver tells all
			return nil, fmt.Errorf("the watchdog's %s: %w", name, err)
		}
	}
	d.Running, d.Stays, d.Reset = state == "active", stays == "1", flags&flagReset != 0
	return d, nil
}

// silent is a watchdog whose driver makes its device by itself, such as that of a board's management controller (IPMI), which runs on
// over a reset. Nothing is told of it before it is opened.
func silent(h host.Host) (*Device, error) {
	_, err := os.Stat(h.Path(misc))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Device{Path: h.Path("/dev/watchdog"), Silent: true}, nil
}

// maxFile bounds what is read of a file of the kernel's.
const maxFile = 4096

func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	return strings.TrimSpace(string(b)), err
}

// parse reads a number of units.
func parse(s string, unit time.Duration, to *time.Duration) error {
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return fmt.Errorf("%q is no number", s)
	}
	*to = time.Duration(n) * unit
	return nil
}

// HeldError is a watchdog that somebody else has: systemd, mostly, whose RebootWatchdogSec then says what becomes of a shutdown.
type HeldError struct{ Device Device }

func (e *HeldError) Error() string {
	return fmt.Sprintf("the watchdog %s is held by another program, such as systemd (RuntimeWatchdogSec), and left to it", e.Device.name())
}

// ShortError is a watchdog that would end an orderly shutdown too early. It was left stopped.
type ShortError struct {
	Device      Device
	Took, Least time.Duration
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("the watchdog %s takes no more than %s, and %s are needed: it is left stopped", e.Device.name(), e.Took, e.Least)
}

// ErrNone is a machine without a watchdog, or without the module that knows it.
var ErrNone = errors.New("this machine has no watchdog that the kernel knows")

func (d Device) name() string {
	if d.Identity != "" {
		return strconv.Quote(d.Identity)
	}
	return d.Path
}
