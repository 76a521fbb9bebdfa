// Package gptpriotest is a machine whose boot loader chooses by the priorities in a GPT, for tests: a disk, and models of ChromeOS'
// firmware and of Flatcar's GRUB that read and write it by themselves.
package gptpriotest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/gptprio"
	"github.com/sallyport-dev/sallyport/apply/slot/gptprio/gptdisk"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Tries is how often the rig's loader tries a slot.
const Tries = 3

const diskPath = "/dev/disk/by-id/test"

// Open opens a machine of Flatcar's.
func Open(t *testing.T, disk durable.Disk) *slottest.Rig { return open(t, disk, flatcar) }

// OpenChromeOS opens a machine of ChromeOS', whose firmware makes a slot bad with its last try.
func OpenChromeOS(t *testing.T, disk durable.Disk) *slottest.Rig { return open(t, disk, chromeOS) }

// flavour is a kind of loader.
type flavour struct {
	partition [16]byte // the type of the slots' partitions
	names     slot.BootNames
	cmdline   string // what it puts on the command line, around the partition's GUID
	lastTry   bool   // the last try makes a slot bad
}

var (
	flatcar = flavour{names: slot.BootNames{A: "USR-A", B: "USR-B"}, cmdline: "mount.usr=/dev/mapper/usr verity.usr=PARTUUID=%s rootflags=rw\n",
		partition: gptdisk.Flatcar}
	chromeOS = flavour{names: slot.BootNames{A: "2", B: "4"}, cmdline: "cros_secure kern_guid=%s root=/dev/dm-0\n", lastTry: true,
		partition: gptdisk.ChromeOS}
)

func open(t *testing.T, disk durable.Disk, f flavour) *slottest.Rig {
	m := &machine{flavour: f, host: host.Host{Root: t.TempDir()}}
	m.file(t, diskPath, gptdisk.New(f.partition))
	if got := m.boot(t); got != slot.A {
		t.Fatalf("the new machine boots slot %s", got)
	}
	l, err := gptprio.New(gptprio.Config{Device: diskPath, Names: f.names, Tries: Tries, Host: m.host, Disk: slottest.Breakable(disk, &m.broken, syscall.EIO)})
	if err != nil {
		t.Fatal(err)
	}
	return &slottest.Rig{
		Loader: l, Host: m.host, Tries: Tries, Boot: m.boot, Foreign: m.foreign,
		Break: func(*testing.T) { m.broken = true },
		Mend:  func(*testing.T) { m.broken = false },
		Stranger: func(t *testing.T) {
			m.file(t, "/proc/cmdline", []byte("root=UUID=11112222-3333-4444-5555-666677778888\n"))
		},
	}
}

// machine is what the loader sees of it.
type machine struct {
	flavour
	host   host.Host
	broken bool // Linux cannot write
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

func (m *machine) image(t *testing.T) gptdisk.Image {
	t.Helper()
	data, err := os.ReadFile(m.host.Path(diskPath))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// boot is one start: the choice, the try that it takes, and the command line that it leaves.
func (m *machine) boot(t *testing.T) slot.Name {
	t.Helper()
	img := m.image(t)
	at, ok := img.Choose(m.partition, m.lastTry)
	if !ok {
		return slot.None
	}
	m.file(t, diskPath, img)
	m.file(t, "/proc/cmdline", fmt.Appendf(nil, m.cmdline, img.PartitionGUID(at)))
	return map[int]slot.Name{1: slot.A, 3: slot.B}[at]
}

func (m *machine) foreign(t *testing.T) string {
	t.Helper()
	return m.image(t).Foreign(m.partition)
}
