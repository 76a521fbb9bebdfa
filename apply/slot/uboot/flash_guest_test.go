//go:build boot

package uboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// guestDone is what the guest says at its end if all was well.
const guestDone = "the guest is satisfied"

// TestMain is also the first process of a machine in QEMU that has flash.
func TestMain(m *testing.M) {
	if os.Getpid() != 1 {
		os.Exit(m.Run())
	}
	if err := guest(); err != nil {
		fmt.Println("guest:", err)
	} else {
		fmt.Println(guestDone)
	}
	fmt.Println(unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}

// guestModules are the kernel's drivers of flash, in the order in which they need each other, with their parameters: 16 MiB of NAND in
// erase blocks of 16 KiB, of which the second and the fifth are bad, and UBI on its second half.
var guestModules = [][2]string{
	{"mtd", ""}, {"bch", ""}, {"nandcore", ""}, {"nand", ""},
	{"nandsim", "id_bytes=0x20,0x33,0x00,0x00 badblocks=1,4 parts=512"}, {"ubi", "mtd=1"},
}

// guest tries everything that is written for raw flash on the kernel's own.
func guest() error {
	for _, m := range [][3]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/var/lock"}} {
		if err := unix.Mount("none", m[1], m[0], 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	for _, m := range guestModules {
		data, err := os.ReadFile("/modules/" + m[0] + ".ko")
		if err != nil {
			return err
		}
		if err := unix.InitModule(data, m[1]); err != nil {
			return fmt.Errorf("module %s: %w", m[0], err)
		}
	}
	err := errors.Join(guestBegins("/dev/mtd0 0x0 0x4000 0x4000 3\n/dev/mtd0 0xc000 0x4000 0x4000 3\n"), guestAgrees(), guestBadBlocks())
	if err != nil {
		return fmt.Errorf("NAND: %w", err)
	}
	err = errors.Join(guestVolume(0), guestVolume(1), guestBegins("/dev/ubi0_0 0x0 0x4000\n/dev/ubi0_1 0x0 0x4000\n"), guestAgrees(), guestCutVolume())
	if err != nil {
		return fmt.Errorf("UBI: %w", err)
	}
	return nil
}

// mkvol is struct ubi_mkvol_req of the kernel's ubi-user.h.
type mkvol struct {
	id, alignment int32
	bytes         int64
	kind, flags   int8
	nameLen       int16
	_             int32
	name          [128]byte
}

// guestVolume makes a UBI volume.
func guestVolume(id int32) error {
	const (
		ubiIocMkVol = 0x40986f00
		dynamic     = 3
	)
	f, err := os.Open("/dev/ubi0")
	if err != nil {
		return err
	}
	defer f.Close()
	req := mkvol{id: id, alignment: 1, bytes: 0x4000, kind: dynamic, nameLen: 4}
	copy(req.name[:], fmt.Sprintf("env%d", id))
	return ioctl(f, ubiIocMkVol, unsafe.Pointer(&req))
}

// guestCutVolume begins an update of the volume that does not count, and never ends it: the other one counts.
func guestCutVolume() error {
	s, err := openStore(guestConfig())
	if err != nil {
		return err
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/ubi0_%d", 1-s.newest), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	size := int64(0x4000)
	if err := ioctl(f, unix.UBI_IOCVOLUP, unsafe.Pointer(&size)); err != nil {
		return err
	}
	if _, err := f.Write(make([]byte, 100)); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return guestAgrees()
}

func guestConfig() Config {
	return Config{Path: DefaultConfig, Names: slot.BootNames{A: "A", B: "B"}, Tries: 3}
}

// guestBegins makes an environment on new flash, as U-Boot does.
func guestBegins(config string) error {
	if err := os.WriteFile(DefaultConfig, []byte(config), 0o644); err != nil {
		return err
	}
	if _, err := openStore(guestConfig()); !errors.Is(err, errNoGoodCopy) {
		return fmt.Errorf("new flash: %w", err)
	}
	places, err := parseConfig([]byte(config))
	if err != nil {
		return err
	}
	data, err := env{"BOOT_ORDER=A B", "BOOT_A_LEFT=3", "sallyport_A=good", "long=" + strings.Repeat("x", 5000)}.marshal(0x4000 - 5)
	if err != nil {
		return err
	}
	for i, p := range places {
		m, err := openMedium(p, host.Host{}, durable.Disk{})
		if err != nil {
			return err
		}
		if m.scheme() != counter {
			return errors.New("NAND is not counted")
		}
		if err := errors.Join(m.writable(), m.write(newImage(data, true, byte(254+i)))); err != nil {
			return err
		}
	}
	return nil
}

// guestAgrees changes the environment in turn with fw_setenv, which has to read the same.
func guestAgrees() error {
	l, err := New(guestConfig())
	if err != nil {
		return err
	}
	for i := range 6 {
		if err := l.Disarm(context.Background(), slot.B); err != nil {
			return fmt.Errorf("turn %d: %w", i, err)
		}
		if err := guestReads("sallyport_B=bad"); err != nil {
			return fmt.Errorf("turn %d: %w", i, err)
		}
		if out, err := exec.Command("/bin/fw_setenv", "sallyport_B", "good").CombinedOutput(); err != nil {
			return fmt.Errorf("turn %d: fw_setenv: %w: %s", i, err, out)
		}
		if err := guestReads("sallyport_B=good"); err != nil {
			return fmt.Errorf("turn %d: %w", i, err)
		}
	}
	return nil
}

func guestReads(want string) error {
	out, err := exec.Command("/bin/fw_printenv").CombinedOutput()
	if err != nil {
		return fmt.Errorf("fw_printenv: %w: %s", err, out)
	}
	theirs := strings.Split(strings.TrimSpace(string(out)), "\n")
	s, err := openStore(guestConfig())
	if err != nil {
		return err
	}
	ours := slices.Sorted(slices.Values(s.env))
	if slices.Sort(theirs); !slices.Equal(ours, theirs) || !slices.Contains(ours, want) {
		return fmt.Errorf("fw_printenv reads %.300q, we read %.300q, want %s", theirs, ours, want)
	}
	return nil
}

// guestBadBlocks looks where the second copy lies: behind the bad block at its beginning. And what is not flash is refused.
func guestBadBlocks() error {
	f, err := os.Open("/dev/mtd0")
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 0x4000)
	for at, want := range map[int64]bool{0: true, 0x4000: false, 0x8000: false, 0xc000: true, 0x14000: false} {
		if _, err := f.ReadAt(block, at); err != nil {
			return err
		}
		if got := bytes.Contains(block, []byte("BOOT_ORDER=")); got != want {
			return fmt.Errorf("the block at 0x%x: an environment: %v", at, got)
		}
	}
	if m, err := openMedium(place{device: "/dev/mtd0ro", size: 0x4000}, host.Host{}, durable.Disk{}); err != nil || m.writable() == nil {
		return fmt.Errorf("a read-only chip could be written: %w", err)
	}
	if _, err := openFlash(host.Host{}, "/dev/null", place{device: "/dev/null", size: 0x4000}); err == nil {
		return errors.New("/dev/null is flash")
	}
	return nil
}
