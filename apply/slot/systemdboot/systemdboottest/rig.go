// Package systemdboottest is a machine that systemd-boot boots: a model of the loader, which reads and renames the files of an ESP
// by a way of its own.
package systemdboottest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Partition is the GUID of the machine's ESP.
const Partition = slottest.ESP

const tries = 3

var names = slot.BootNames{A: "slot-a", B: "slot-b"}

// Machine is one.
type Machine struct {
	Host host.Host
	t    *testing.T
}

// Open opens a rig with a kernel and an initrd in each slot.
func Open(t *testing.T, disk durable.Disk) *slottest.Rig {
	t.Helper()
	return rig(t, disk, "linux /%s/vmlinuz\ninitrd /%[1]s/initrd\noptions root=/dev/vda2 sallyport.slot=%[1]s\n")
}

// OpenImages opens a rig with a unified kernel image in each slot, whose command line is its own.
func OpenImages(t *testing.T, disk durable.Disk) *slottest.Rig {
	t.Helper()
	return rig(t, disk, "# made by hand\ntitle Slot %s\nsort-key debian\nefi /EFI/slots/%[1]s.efi\nversion 12.8")
}

func rig(t *testing.T, disk durable.Disk, entry string) *slottest.Rig {
	t.Helper()
	m := New(t)
	m.Put("/efi/loader/entries/slot-a.conf", fmt.Sprintf(entry, names.A))
	m.Put("/efi/loader/entries/slot-b+0.conf", fmt.Sprintf(entry, names.B))
	m.Boot(t)
	loader := systemdboot.New(systemdboot.Config{ESP: "/efi", Names: names, Tries: tries, Host: m.Host, Disk: disk})
	return &slottest.Rig{
		Loader: loader, Host: m.Host, Tries: tries, Boot: m.Boot, Foreign: m.foreign,
		Break: func(t *testing.T) { t.Helper(); m.Mount("ro") },
		Mend:  func(t *testing.T) { t.Helper(); m.Mount("rw") },
		// Unsaved is nil: systemd-boot goes on where it could not rename an entry, and nothing of ours runs before it.
		Stranger: func(t *testing.T) {
			t.Helper()
			if err := os.RemoveAll(m.Host.Path("/sys/firmware/efi/efivars")); err != nil {
				t.Fatal(err)
			}
			m.Put("/sys/firmware/efi/efivars/BootCurrent-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\x06\x00\x00\x00\x01\x00")
		},
	}
}

// New is a machine without entries that was never booted.
func New(t *testing.T) *Machine {
	t.Helper()
	m := &Machine{Host: host.Host{Root: t.TempDir()}, t: t}
	m.Mount("rw")
	for _, name := range []string{names.A, names.B} {
		m.Put("/efi/"+name+"/vmlinuz", "kernel")
		m.Put("/efi/"+name+"/initrd", "initrd")
		m.Put("/efi/EFI/slots/"+name+".efi", "image")
	}
	m.Put("/efi/memtest.efi", "program")
	m.Put("/efi/loader/loader.conf", "#timeout 3\ntimeout 0\n")
	m.Put("/efi/loader/entries/memtest.conf", "title Memory test\nefi /memtest.efi\n")
	slottest.PutESP(t, m.Host)
	return m
}

// Mount says how the ESP is mounted.
func (m *Machine) Mount(how string) {
	m.t.Helper()
	m.Put("/proc/self/mountinfo", "22 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n31 22 259:1 / /efi "+how+" - vfat /dev/nvme0n1p1 rw\n")
}

// Put writes a file of the machine.
func (m *Machine) Put(path, text string) { m.t.Helper(); slottest.Put(m.t, m.Host, path, text) }

// SetLoader sets a variable of the Boot Loader Interface to a text, with attributes.
func (m *Machine) SetLoader(name string, attributes byte, text string) {
	m.t.Helper()
	b := []byte{attributes, 0, 0, 0}
	for _, u := range utf16.Encode([]rune(text + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	m.Put("/sys/firmware/efi/efivars/"+name+"-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", string(b))
}

// candidate is an entry as the model reads it.
type candidate struct {
	file, stem, sortKey, options string
	version, left, done          int // left is -1 without a counter
}

var counted = regexp.MustCompile(`^(.+?)(?:\+([0-9]+)(?:-([0-9]+))?)?\.conf$`)

// Boot starts the machine: the model chooses an entry, takes a try and leaves the loader's variables behind.
func (m *Machine) Boot(t *testing.T) slot.Name {
	t.Helper()
	dir := m.Host.Path("/efi/loader/entries")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []candidate
	for _, f := range files {
		if c, ok := m.candidate(t, f.Name()); ok {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return slot.None
	}
	// Of two files of one slot, the one with a counter is the newer name.
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(weight(a.left == 0)-weight(b.left == 0), weight(a.sortKey == "")-weight(b.sortKey == ""),
			cmp.Compare(a.sortKey, b.sortKey), b.version-a.version, cmp.Compare(b.stem, a.stem), b.left-a.left)
	})
	m.start(t, dir, all[0])
	return names.Slot(all[0].stem)
}

func weight(last bool) int {
	if last {
		return 1
	}
	return 0
}

// candidate reads an entry whose version is a plain number, or begins with one.
func (m *Machine) candidate(t *testing.T, file string) (c candidate, ok bool) {
	t.Helper()
	parts := counted.FindStringSubmatch(file)
	if parts == nil || strings.HasPrefix(file, ".") {
		return c, false
	}
	c = candidate{file: file, stem: parts[1], left: -1}
	if parts[2] != "" {
		c.left, _ = strconv.Atoi(parts[2])
		c.done, _ = strconv.Atoi(parts[3])
	}
	text, err := os.ReadFile(m.Host.Path("/efi/loader/entries/" + file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "sort-key":
			c.sortKey = words[1]
		case "version":
			number, _, _ := strings.Cut(words[1], ".")
			if c.version, err = strconv.Atoi(number); err != nil {
				t.Fatal(err)
			}
		case "options":
			c.options = strings.Join(words[1:], " ")
		case "linux", "efi":
			_, err := os.Stat(m.Host.Path("/efi" + words[1]))
			ok = err == nil
		}
	}
	if c.sortKey == "" {
		c.version = 0
	}
	return c, ok
}

// start takes a try and says so.
func (m *Machine) start(t *testing.T, dir string, c candidate) {
	t.Helper()
	vars := m.Host.Path("/sys/firmware/efi/efivars")
	_ = os.Remove(vars + "/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
	if c.left >= 0 {
		next := fmt.Sprintf("%s+%d-%d.conf", c.stem, max(c.left-1, 0), c.done+1)
		// On FAT a name that is taken stays as it is, and the loader goes on.
		if _, err := os.Stat(filepath.Join(dir, next)); err != nil {
			if err := os.Rename(filepath.Join(dir, c.file), filepath.Join(dir, next)); err != nil {
				t.Fatal(err)
			}
			m.SetLoader("LoaderBootCountPath", 6, `\loader\entries\`+next)
		}
	}
	m.SetLoader("LoaderInfo", 6, "systemd-boot 252.39-1~deb12u2")
	m.SetLoader("LoaderEntrySelected", 6, strings.ToLower(c.file))
	m.SetLoader("LoaderImageIdentifier", 6, `\EFI\systemd\systemd-bootx64.efi`)
	m.SetLoader("LoaderDevicePartUUID", 6, strings.ToUpper(Partition))
	m.Put("/sys/firmware/efi/efivars/LoaderFeatures-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "\x06\x00\x00\x00\x7f\x00\x00\x00\x00\x00\x00\x00")
	options := c.options
	if options == "" {
		options = "root=/dev/vda2 sallyport.slot=" + c.stem // what an image has in it
	}
	m.Put("/proc/cmdline", options+"\n")
	m.Put("/proc/sys/kernel/random/boot_id", "boot of "+t.Name()+"\n")
}

// foreign is what is on the ESP and among the lasting variables that is not ours.
func (m *Machine) foreign(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(m.Host.Path("/efi"), func(path string, e os.DirEntry, err error) error {
		name := e.Name()
		if err != nil || e.IsDir() || strings.HasPrefix(name, "slot-") && strings.HasSuffix(name, ".conf") || strings.HasPrefix(name, ".") {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&out, "%s: %q\n", path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Of our own entries, too, the lines that say what they start are to stay.
	for _, name := range []string{names.A, names.B} {
		lines := map[string]bool{}
		files, _ := filepath.Glob(m.Host.Path("/efi/loader/entries/" + name + "[.+]*"))
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if !strings.HasPrefix(line, "version") && !strings.HasPrefix(line, "sort-key") {
					lines[line] = true
				}
			}
		}
		fmt.Fprintf(&out, "%s: %v\n", name, lines)
	}
	return out.String()
}
