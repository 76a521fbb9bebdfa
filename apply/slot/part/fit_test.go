package part

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// device puts a device and what the kernel tells of it in its own folder below /sys, and returns its number.
func (m *machine) device(place string, size int, attributes map[string]string) string {
	m.t.Helper()
	m.put(place, make([]byte, size))
	return m.sys(place, "/sys/devices/"+filepath.Base(place), attributes)
}

func (m *machine) sys(place, dir string, attributes map[string]string) string {
	m.t.Helper()
	dev, ok := deviceAt(m.Host, place)
	if !ok {
		m.t.Fatalf("%s does not stand for a device", place)
	}
	m.put(dir+"/dev", []byte(number(dev)+"\n"))
	for name, value := range attributes {
		m.put(dir+"/"+name, []byte(value+"\n"))
	}
	m.link("/sys/dev/block/"+number(dev), dir)
	return number(dev)
}

// link makes a symbolic link within the machine.
func (m *machine) link(path, to string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.Path(path)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(m.Path(to), m.Path(path)); err != nil {
		m.t.Fatal(err)
	}
}

// mounted writes the table of mounts: number of the device, folder, source.
func (m *machine) mounted(lines ...[3]string) {
	text := ""
	for _, l := range lines {
		text += "36 35 " + l[0] + " / " + l[1] + " rw,noatime shared:1 - ext4 " + l[2] + " rw\n"
	}
	m.put("/proc/self/mountinfo", []byte(text))
}

func TestFitRefusesDevices(t *testing.T) {
	const size = 8 * unit
	for name, c := range map[string]struct {
		place   string
		prepare func(m *machine)
		text    string
	}{
		"nothing there": {"/dev/disk/by-partlabel/root-b", func(*machine) {}, "there is no such block device"},
		"too small":     {"/dev/sda3", func(m *machine) { m.device("/dev/sda3", size-512, nil) }, "it holds 32256 bytes, and the image has 32768"},
		"read-only":     {"/dev/sda3", func(m *machine) { m.device("/dev/sda3", size, map[string]string{"ro": "1"}) }, "read-only"},
		"forced to be read-only": {"/dev/mmcblk0boot1", func(m *machine) {
			m.device("/dev/mmcblk0boot1", size, map[string]string{"ro": "0", "force_ro": "1"})
		}, "read-only"},
		"mounted": {"/dev/sda3", func(m *machine) {
			m.mounted([3]string{m.device("/dev/sda3", size, nil), `/mnt/the\040disk`, "/dev/root"})
		}, "mounted at /mnt/the disk"},
		"mounted, by a file system of several devices": {"/dev/disk/by-partlabel/root-b", func(m *machine) {
			m.device("/dev/sda3", size, nil)
			m.link("/dev/disk/by-partlabel/root-b", "/dev/sda3")
			m.mounted([3]string{"0:44", "/mnt", "/dev/sda3"})
		}, "mounted at /mnt"},
		"the root file system": {"/dev/sda3", func(m *machine) {
			m.mounted([3]string{m.device("/dev/sda3", size, nil), "/", "/dev/root"})
		}, "the running system is on"},
		"below the root file system": {"/dev/sda3", func(m *machine) {
			m.device("/dev/sda3", size, nil)
			root := m.device("/dev/dm-0", size, nil)
			m.link("/sys/devices/dm-0/slaves/sda3", "/sys/devices/sda3")
			m.mounted([3]string{root, "/", "/dev/mapper/root"})
		}, "the running system is on"},
		"a disk with a partition that is mounted": {"/dev/sda", func(m *machine) {
			m.device("/dev/sda", size, nil)
			m.put("/dev/sda1", nil)
			m.mounted([3]string{m.sys("/dev/sda1", "/sys/devices/sda/sda1", map[string]string{"partition": "1"}), "/boot", "/dev/sda1"})
		}, "mounted at /boot"},
		"swap": {"/dev/sda3", func(m *machine) {
			m.device("/dev/sda3", size, nil)
			m.put("/proc/swaps", []byte("Filename\tType\tSize\n/dev/sda3 partition 100 0 -2\n"))
		}, "used as swap"},
		"held by device-mapper": {"/dev/sda3", func(m *machine) { m.device("/dev/sda3", size, map[string]string{"holders/dm-3/dev": "253:3"}) }, "dm-3 is made of it"},
		"a disk with a partition in an array": {"/dev/sda", func(m *machine) {
			m.device("/dev/sda", size, map[string]string{"sda1/partition": "1", "sda1/holders/md0/dev": "9:0"})
		}, "md0 is made of it"},
		"below a loop device": {"/dev/sda3", func(m *machine) {
			m.device("/dev/sda3", size, nil)
			m.put("/sys/block/loop4/loop/backing_file", []byte("/dev/sda3\n"))
		}, "loop4 is made of it"},
		"a character device": {"/srv/null", func(m *machine) {
			m.put("/srv/x", nil)
			if err := os.Symlink("/dev/null", m.Path("/srv/null")); err != nil {
				m.t.Fatal(err)
			}
		}, "neither a block device nor a file"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			c.prepare(m)
			_, err := m.fit(c.place, size)
			unfit(t, err, c.text)
		})
	}
}

func TestFitAcceptsADevice(t *testing.T) {
	m := newMachine(t)
	m.device("/dev/sda3", 8*unit, map[string]string{"ro": "0", "partition": "3"})
	m.device("/dev/sda2", 8*unit, map[string]string{"ro": "0", "partition": "2"})
	m.link("/dev/disk/by-partlabel/root-b", "/dev/sda3")
	m.mounted([3]string{"8:2", "/", "/dev/sda2"})
	target, err := Fit(m.Host, Places{"root": "/dev/disk/by-partlabel/root-b", "unused": "/dev/none"},
		Places{"root": "/dev/sda2", "gone": "/dev/gone"}, map[string]int64{"root": 8 * unit})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writeTo(target, durable.Disk{}, noise(1, 8*unit)); err != nil {
		t.Error(err)
	}
}

func TestFitWantsPlacesApart(t *testing.T) {
	m := newMachine(t)
	m.device("/dev/sda", 64*unit, nil)
	for _, n := range []string{"sda2", "sda3"} {
		m.put("/dev/"+n, make([]byte, 8*unit))
		m.sys("/dev/"+n, "/sys/devices/sda/"+n, map[string]string{"partition": n[3:]})
	}
	m.link("/dev/disk/by-partlabel/root-b", "/dev/sda3")
	m.link("/dev/disk/by-id/disk", "/dev/sda")
	m.put("/efi/a.efi", []byte("running"))
	m.put("/boot/x", nil)
	m.link("/mnt", "/efi")
	sizes := map[string]int64{"root": unit, "kernel": unit}
	for name, c := range map[string]struct {
		target, running Places
		text            string
	}{
		"one device under two names":     {Places{"root": "/dev/disk/by-partlabel/root-b", "kernel": "/boot/k"}, Places{"root": "/dev/sda3"}, "part root of the slot that runs"},
		"another part's device":          {Places{"root": "/dev/sda3", "kernel": "/boot/k"}, Places{"kernel": "/dev/sda3"}, "part kernel of the slot that runs"},
		"the disk and a partition of it": {Places{"root": "/dev/disk/by-id/disk", "kernel": "/boot/k"}, Places{"root": "/dev/sda2"}, "shares blocks with"},
		"a partition and its disk":       {Places{"root": "/dev/sda2", "kernel": "/boot/k"}, Places{"root": "/dev/sda"}, "shares blocks with"},
		"two parts on one device":        {Places{"root": "/dev/sda3", "kernel": "/dev/disk/by-partlabel/root-b"}, Places{}, "the place of part"},
		"one file under two names":       {Places{"root": "/dev/sda3", "kernel": "/mnt/a.efi"}, Places{"kernel": "/efi/a.efi"}, "part kernel of the slot that runs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Fit(m.Host, c.target, c.running, sizes)
			unfit(t, err, c.text)
		})
	}
	if _, err := Fit(m.Host, Places{"root": "/dev/sda3", "kernel": "/boot/k"}, Places{"root": "/dev/sda2", "kernel": "/efi/a.efi"}, sizes); err != nil {
		t.Errorf("places that are apart: %v", err)
	}
}

func TestFitNamesAPartWithoutAPlace(t *testing.T) {
	m := newMachine(t)
	_, err := Fit(m.Host, Places{"root": "/dev/sda3"}, Places{}, map[string]int64{"verity": 1})
	unfit(t, err, "part verity has no place at this site")
}

// Nothing is written through a name that has come to mean another device between the look and the write.
func TestOpenRefusesANameThatMoved(t *testing.T) {
	m := newMachine(t)
	image := noise(1, 4*unit)
	for _, dev := range []string{"/dev/sda3", "/dev/sda4"} {
		m.put(dev, make([]byte, len(image)))
	}
	m.link("/dev/disk/by-partlabel/root-b", "/dev/sda3")
	target, err := m.fit("/dev/disk/by-partlabel/root-b", len(image))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(m.Path("/dev/disk/by-partlabel/root-b")); err != nil {
		t.Fatal(err)
	}
	m.link("/dev/disk/by-partlabel/root-b", "/dev/sda4")
	_, err = writeTo(target, durable.Disk{}, image)
	unfit(t, err, "is another one now")
	if !isZero(m.read("/dev/sda3")) || !isZero(m.read("/dev/sda4")) {
		t.Error("something was written")
	}
}

func TestFitRefusesFiles(t *testing.T) {
	m := newMachine(t)
	m.put("/efi/b.efi", []byte("old"))
	m.put("/efi/sub/x", nil)
	m.link("/efi/link.efi", "/efi/b.efi")
	for place, text := range map[string]string{
		"/none/b.efi":   "there is no folder /none",
		"/efi/sub":      "neither a block device nor a file",
		"/efi/link.efi": "symbolic link",
		"/dev/sdx":      "no such block device",
	} {
		_, err := m.fit(place, 100)
		unfit(t, err, text)
	}
	fs, err := fileSystemOf(m.Path("/efi"))
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{"kernel": fs.free/2 + 2*fs.block, "initrd": fs.free/2 + 2*fs.block}
	_, err = Fit(m.Host, Places{"kernel": "/efi/k", "initrd": "/efi/i"}, Places{}, sizes)
	unfit(t, err, "bytes free, and the new files need")
	if _, err := Fit(m.Host, Places{"kernel": "/efi/k", "initrd": "/efi/i"}, Places{}, map[string]int64{"kernel": sizes["kernel"]}); err != nil {
		t.Errorf("one of the two: %v", err)
	}
}

// A file that has the bytes already is not written again; one that is damaged is replaced.
func TestFileThatIsThere(t *testing.T) {
	m := newMachine(t)
	image := noise(1, 5000)
	place := m.put("/efi/b.efi", image)
	before, err := os.Stat(m.Path(place))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := m.write(durable.Disk{}, place, image); err != nil || done != (Written{Skipped: 5000}) {
		t.Errorf("%+v, %v", done, err)
	}
	if after, err := os.Stat(m.Path(place)); err != nil || !os.SameFile(before, after) {
		t.Errorf("it is another file: %v", err)
	}
	m.put(place, append([]byte("x"), image[1:]...))
	m.put("/efi/.b.efi.tmp-123", []byte("left by a power cut"))
	m.put("/efi/.other.efi.tmp-123", []byte("not ours"))
	if done, err := m.write(durable.Disk{}, place, image); err != nil || done != (Written{Bytes: 5000}) {
		t.Errorf("%+v, %v", done, err)
	}
	left, err := filepath.Glob(m.Path("/efi/.*"))
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".other.efi.tmp-123") {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A file system that was mounted over the folder, or taken away, after the look gets nothing.
func TestFileWhoseFolderMoved(t *testing.T) {
	m := newMachine(t)
	place := m.put("/efi/b.efi", []byte("old"))
	target, err := m.fit(place, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(m.Path("/efi"), m.Path("/away")); err != nil {
		t.Fatal(err)
	}
	m.put("/efi/x", nil)
	_, err = target.Open(t.Context(), durable.Disk{}, "root", 100, digest.FromString("x"))
	unfit(t, err, "is a file on device")
}
