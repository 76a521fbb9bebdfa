// Package uboottest is a machine that U-Boot boots, for tests: two copies of an environment and a model of docs/boot/uboot/boot.cmd
// that reads and writes them by itself.
package uboottest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/apply/slot/uboot"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Tries is how often the rig's loader tries a slot.
const Tries = 3

// Open opens a machine whose environment is a pair of files, as on a FAT file system.
func Open(t *testing.T, disk durable.Disk) *slottest.Rig {
	return open(t, disk, []Copy{{Path: "/boot/uboot.env", Size: 0x2000}, {Path: "/boot/uboot-redund.env", Size: 0x2000}})
}

// OpenDisk opens a machine whose environment is two places on one disk, with other things around them.
func OpenDisk(t *testing.T, disk durable.Disk) *slottest.Rig {
	return open(t, disk, []Copy{{Path: "/dev/mmcblk0", Offset: 0x1000, Size: 0x2000}, {Path: "/dev/mmcblk0", Offset: 0x4000, Size: 0x2000}})
}

func open(t *testing.T, disk durable.Disk, copies []Copy) *slottest.Rig {
	h := host.Host{Root: t.TempDir()}
	m := &machine{host: h, copies: copies, saves: true}
	m.install(t)
	l, err := uboot.New(uboot.Config{Names: slot.BootNames{A: "A", B: "B"}, Tries: Tries, Host: h, Disk: slottest.Breakable(disk, &m.broken, syscall.EROFS)})
	if err != nil {
		t.Fatal(err)
	}
	return &slottest.Rig{
		Loader: l, Host: h, Tries: Tries, Boot: m.boot, Foreign: m.foreign,
		Break:    func(*testing.T) { m.broken = true },
		Mend:     func(*testing.T) { m.broken = false },
		Unsaved:  func(*testing.T) { m.saves = false },
		Stranger: func(t *testing.T) { m.file(t, "/proc/cmdline", []byte("root=/dev/sda2 ro\n")) },
	}
}

// machine is what U-Boot sees of it.
type machine struct {
	host   host.Host
	copies []Copy
	saves  bool // U-Boot can write
	broken bool // Linux cannot
}

func (m *machine) install(t *testing.T) {
	t.Helper()
	config := "# DEVICE OFFSET SIZE\n"
	for _, c := range m.copies {
		config += fmt.Sprintf("%s 0x%x 0x%x\n", c.Path, c.Offset, c.Size)
		m.file(t, c.Path, []byte(strings.Repeat("\xa5", c.Offset+c.Size+100)))
	}
	m.file(t, uboot.DefaultConfig, []byte(config))
	m.file(t, "/var/lock/placeholder", nil)
	// Ours lie in several sectors, so that a copy of which some were written is neither the old one nor the new one.
	long := strings.Repeat("run this; ", 60)
	vars := []string{"bootcmd=" + long, "BOOT_ORDER=A B rescue", "BOOT_A_LEFT=3", "sallyport_A=good", "ethaddr=52:54:00:12:34:56", "menu=" + long,
		"BOOT_B_LEFT=0", "long=" + long, "sallyport_B=bad", "sallyport_mark=8f2c", "empty="}
	for i, c := range m.copies {
		if err := c.write(m.host, vars, byte(254+i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.boot(t); got != slot.A {
		t.Fatalf("the new machine boots slot %s", got)
	}
}

func (m *machine) file(t *testing.T, path string, data []byte) {
	t.Helper()
	real := m.host.Path(path)
	if err := os.MkdirAll(filepath.Dir(real), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(real, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// foreign is every variable that is not ours, and every byte of the disks that is not of the environment.
func (m *machine) foreign(t *testing.T) string {
	t.Helper()
	_, vars, _ := m.load()
	var b strings.Builder
	for _, v := range vars {
		name, _, _ := strings.Cut(v, "=")
		if name != "BOOT_ORDER" && !strings.HasSuffix(name, "_LEFT") && name != "sallyport_A" && name != "sallyport_B" {
			fmt.Fprintln(&b, v)
		}
	}
	seen := map[string][]byte{}
	for _, c := range m.copies {
		if seen[c.Path] == nil {
			data, err := os.ReadFile(m.host.Path(c.Path))
			if err != nil {
				t.Fatal(err)
			}
			seen[c.Path] = data
		}
		copy(seen[c.Path][c.Offset:], make([]byte, c.Size))
	}
	for _, c := range m.copies {
		fmt.Fprintf(&b, "%s: %q\n", c.Path, seen[c.Path])
	}
	return b.String()
}
