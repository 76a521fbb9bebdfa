package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// mountKernel mounts what the kernel itself offers, and folders in memory.
func mountKernel() error {
	var errs []error
	for _, m := range []struct{ kind, path string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"},
	} {
		if err := unix.Mount("none", m.path, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			errs = append(errs, fmt.Errorf("mounting %s: %w", m.path, err))
		}
	}
	return errors.Join(errs...)
}

// mountPartition mounts a partition by its name, or what the kernel offers under a type of file system.
func mountPartition(m wire.Mount, partitions map[string]string) error {
	device := partitions[m.Label]
	if m.Label == "" {
		device = "none"
	}
	if device == "" {
		return fmt.Errorf("there is no partition %s", m.Label)
	}
	flags := uintptr(unix.MS_NOATIME)
	if m.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	return unix.Mount(device, m.Path, m.Type, flags, "")
}

func loadModule(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("loading %s: %w", file, err)
	}
	return nil
}

// network brings up the loopback interface, on which the mirror listens.
func network() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		report(err)
		return
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err == nil {
		req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
	}
	if err != nil {
		report(err)
	}
}

// up says what runs.
func up(image wire.Image, partitions map[string]string) *wire.Up {
	u := &wire.Up{Version: image.Version}
	u.Slot, _, _ = host.Host{}.Param(host.SlotParam)
	b, _ := os.ReadFile("/proc/cmdline")
	u.Cmdline = strings.TrimSpace(string(b))
	var root unix.Stat_t
	if unix.Stat("/", &root) == nil {
		for name, device := range partitions {
			var s unix.Stat_t
			if unix.Stat(device, &s) == nil && s.Rdev == root.Dev {
				u.Root = name
			}
		}
	}
	if b, err := os.ReadFile("/proc/uptime"); err == nil {
		first, _, _ := strings.Cut(string(b), " ")
		u.Seconds, _ = strconv.ParseFloat(first, 64)
	}
	return u
}

// watch starts the watchdog, which reboots the machine when it is not fed for that long, and feeds it while pid 1 is well.
func watch(timeout time.Duration, well bool) error {
	f, err := os.OpenFile("/dev/watchdog", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, int(timeout/time.Second)); err != nil {
		return err
	}
	go func() {
		for {
			if _, err := f.WriteString("1"); err != nil {
				report(err)
			}
			for !well {
				time.Sleep(time.Hour)
			}
			time.Sleep(timeout / 3)
		}
	}()
	return nil
}

// panicKernel asks the kernel to panic.
func panicKernel() {
	for _, w := range []struct{ path, text string }{{"/proc/sys/kernel/sysrq", "1"}, {"/proc/sysrq-trigger", "c"}} {
		if err := os.WriteFile(w.path, []byte(w.text), 0); err != nil {
			report(err)
		}
	}
}

// end reboots the machine, or switches it off, after everything is on the disk.
func end(how int) error {
	unix.Sync()
	return unix.Reboot(how)
}
