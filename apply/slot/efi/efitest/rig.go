// Package efitest is a machine with UEFI firmware: a model of its boot manager, which reads and writes variables by a way of its own.
package efitest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efi"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Partition is the GUID of the machine's ESP.
const Partition = slottest.ESP

const (
	dir    = "/sys/firmware/efi/efivars/"
	global = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
)

// Names are the loader's names of the slots.
var Names = slot.BootNames{A: "slot-a", B: "slot-b"}

// Machine is one. Its firmware can start what lies in Files.
type Machine struct {
	Host  host.Host
	Files map[string]slot.Name
	t     *testing.T
}

// Paths are where the slots' programs lie.
var Paths = map[slot.Name]string{slot.A: `\EFI\slot-a\linux.efi`, slot.B: `\EFI\slot-b\linux.efi`}

// Open opens a rig on which slot A has an entry, behind one for the network that fails, and slot B has none yet.
func Open(t *testing.T, disk durable.Disk) *slottest.Rig {
	t.Helper()
	m := New(t)
	m.Boot(t)
	return &slottest.Rig{
		Loader: efi.New(m.Config(t, disk)), Host: m.Host, Tries: efi.Tries, Boot: m.Boot, Foreign: m.foreign,
		Break: func(t *testing.T) { t.Helper(); m.Mount("ro") },
		Mend:  func(t *testing.T) { t.Helper(); m.Mount("rw") },
		// Unsaved is nil: the firmware keeps BootNext itself, and nothing of ours runs before it.
		Stranger: func(t *testing.T) { t.Helper(); m.Set("BootCurrent", 6, 1, 0) },
	}
}

// New is a machine that was never booted.
func New(t *testing.T) *Machine {
	t.Helper()
	m := &Machine{Host: host.Host{Root: t.TempDir()}, t: t, Files: map[string]slot.Name{Paths[slot.A]: slot.A, Paths[slot.B]: slot.B}}
	m.Mount("rw")
	slottest.PutESP(t, m.Host)
	m.SetEntry(0, 1, "PXE", "")
	m.SetEntry(1, 1, "Windows Boot Manager", `\EFI\Microsoft\Boot\bootmgfw.efi`)
	m.SetEntry(2, 1, Names.A, Paths[slot.A])
	m.SetEntry(7, 0, "Setup", "")
	m.Set("BootOrder", 7, 0, 0, 2, 0, 1, 0)
	m.Set("Timeout", 7, 0, 0)
	m.put(dir+"LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "\x06\x00\x00\x00a\x00\x00\x00")
	return m
}

// Config is that of the machine's loader.
func (m *Machine) Config(t *testing.T, disk durable.Disk) efi.Config {
	t.Helper()
	g, err := efivar.ParseGUID(Partition)
	if err != nil {
		t.Fatal(err)
	}
	return efi.Config{
		A: efi.Entry{File: efivar.File{Partition: g, Path: Paths[slot.A]}}, B: efi.Entry{File: efivar.File{Partition: g, Path: Paths[slot.B]}},
		Names: Names, Host: m.Host, Disk: disk,
	}
}

// Mount says how efivarfs is mounted.
func (m *Machine) Mount(how string) {
	m.t.Helper()
	m.put("/proc/self/mountinfo", "22 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n31 22 0:30 / /sys/firmware/efi/efivars "+how+" - efivarfs efivarfs rw\n")
}

func (m *Machine) put(path, text string) { m.t.Helper(); slottest.Put(m.t, m.Host, path, text) }

// Set sets a variable of the firmware's.
func (m *Machine) Set(name string, attributes byte, data ...byte) {
	m.t.Helper()
	m.put(dir+name+global, string([]byte{attributes, 0, 0, 0})+string(data))
}

// Get is the data of a variable of the firmware's; nil if there is none.
func (m *Machine) Get(name string) []byte {
	b, err := os.ReadFile(m.Host.Path(dir + name + global))
	if err != nil || len(b) < 4 {
		return nil
	}
	return b[4:]
}

// SetEntry makes a boot entry: of a file on the ESP, or of a device if path is empty.
func (m *Machine) SetEntry(number uint16, attributes byte, description, path string) {
	m.t.Helper()
	node := []byte{3, 11, 37, 0, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56}
	node = append(node, make([]byte, 37-len(node))...)
	if path != "" {
		// HD(1,GPT,…,0x800,0x20000)/File(…)
		node = []byte{4, 1, 42, 0, 1, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0,
			0x3b, 0x2c, 0x1d, 0x6a, 0x22, 0x11, 0x00, 0x40, 0x80, 0x00, 0, 0, 0, 0, 0, 0x0a, 2, 2}
		name := wide(path + "\x00")
		node = append(node, 4, 4, byte(4+len(name)), 0)
		node = append(node, name...)
	}
	node = append(node, 0x7f, 0xff, 4, 0)
	data := append([]byte{attributes, 0, 0, 0, byte(len(node)), 0}, wide(description+"\x00")...)
	m.Set(fmt.Sprintf("Boot%04X", number), 7, append(data, node...)...)
}

func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// Boot starts the machine: BootNext once, else the first in BootOrder that is active and can be started.
func (m *Machine) Boot(t *testing.T) slot.Name {
	t.Helper()
	next := m.Get("BootNext")
	if next != nil {
		if err := os.Remove(m.Host.Path(dir + "BootNext" + global)); err != nil {
			t.Fatal(err)
		}
		if n, ok := m.start(t, next, false); ok {
			return n
		}
	}
	for order := m.Get("BootOrder"); len(order) >= 2; order = order[2:] {
		if n, ok := m.start(t, order[:2], true); ok {
			return n
		}
	}
	return slot.None
}

// start boots an entry if it is there, active and leads to a file that is there.
func (m *Machine) start(t *testing.T, number []byte, active bool) (slot.Name, bool) {
	t.Helper()
	entry := m.Get(fmt.Sprintf("Boot%02X%02X", number[1], number[0]))
	if len(entry) < 6 || active && entry[0]&1 == 0 {
		return slot.None, false
	}
	for path, n := range m.Files {
		// Every byte of the path and of the partition's GUID, wherever the entry has them.
		if bytes.Contains(entry, wide(path+"\x00")) && bytes.Contains(entry, []byte{0x3b, 0x2c, 0x1d, 0x6a, 0x22, 0x11, 0x00, 0x40}) {
			m.Set("BootCurrent", 6, number...)
			m.put("/proc/cmdline", "root=/dev/vda2 sallyport.slot="+Names.Of(n)+"\n")
			m.put("/proc/sys/kernel/random/boot_id", "boot of "+t.Name()+"\n")
			return n, true
		}
	}
	return slot.None, false
}

// foreign is every variable that is not ours, and the order of the others' entries.
func (m *Machine) foreign(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(m.Host.Path(dir + "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var out strings.Builder
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		ours := strings.HasPrefix(name, "SallyportSlots") || bytes.Contains(b, wide(`linux.efi`))
		switch {
		case ours || strings.HasPrefix(name, "BootNext") || strings.HasPrefix(name, "BootCurrent"):
		case strings.HasPrefix(name, "BootOrder"):
			fmt.Fprintf(&out, "%s: %v\n", name, m.others(b[4:]))
		default:
			fmt.Fprintf(&out, "%s: %x\n", name, b)
		}
	}
	return out.String()
}

func (m *Machine) others(order []byte) (others []string) {
	for ; len(order) >= 2; order = order[2:] {
		name := fmt.Sprintf("Boot%02X%02X", order[1], order[0])
		if !bytes.Contains(m.Get(name), wide(`linux.efi`)) {
			others = append(others, name)
		}
	}
	return others
}
