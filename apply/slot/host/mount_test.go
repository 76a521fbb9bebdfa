package host

import (
	"os"
	"path/filepath"
	"testing"
)

// put writes a file of a machine.
func put(t *testing.T, h Host, path, text string) {
	t.Helper()
	path = h.Path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const mounts = `22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
30 22 0:27 / /efi rw,relatime shared:2 - autofs systemd-1 rw,fd=52
31 30 259:1 / /efi rw,relatime shared:3 - vfat /dev/nvme0n1p1 rw,fmask=0022
32 22 259:3 / /mnt/two\040words ro,relatime - vfat /dev/nvme0n1p3 rw
33 22 259:4 / /efifs rw,relatime - vfat /dev/nvme0n1p4 ro
`

func TestMountOf(t *testing.T) {
	h := Host{Root: t.TempDir()}
	put(t, h, "/proc/self/mountinfo", mounts)
	for _, dir := range []string{"/efi/loader/entries", "/mnt/two words", "/efifs", "/var"} {
		if err := os.MkdirAll(h.Path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("efi", h.Path("/boot")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Mount{
		"/efi/loader/entries": {Point: "/efi", Type: "vfat", Device: "259:1", Source: "/dev/nvme0n1p1"},
		"/boot/loader":        {Point: "/efi", Type: "vfat", Device: "259:1", Source: "/dev/nvme0n1p1"},
		"/mnt/two words":      {Point: "/mnt/two words", Type: "vfat", Device: "259:3", Source: "/dev/nvme0n1p3", ReadOnly: true},
		"/efifs":              {Point: "/efifs", Type: "vfat", Device: "259:4", Source: "/dev/nvme0n1p4", ReadOnly: true},
		"/var":                {Point: "/", Type: "ext4", Device: "259:2", Source: "/dev/nvme0n1p2"},
	} {
		got, err := h.MountOf(path)
		if got.Has("ro") != want.ReadOnly || got.Has("r") {
			t.Errorf("%s: mounted with %s", path, got.Options)
		}
		if got.Options = ""; err != nil || got != want {
			t.Errorf("%s: got %+v, %v", path, got, err)
		}
	}
	if _, err := h.MountOf("/not/there"); err == nil {
		t.Error("a folder that is not there has a mount")
	}
	put(t, h, "/proc/self/mountinfo", "22 1 259:2 /\n")
	if _, err := h.MountOf("/var"); err == nil {
		t.Error("half a line is a mount")
	}
}

func TestMountOfThisMachine(t *testing.T) {
	if m, err := (Host{}).MountOf("/proc"); err != nil || m.Type != "proc" || m.Point != "/proc" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestPartition(t *testing.T) {
	h := Host{Root: t.TempDir()}
	const guid = "6A1D2C3B-0000-4000-8000-00000000000A"
	put(t, h, "/dev/nvme0n1p1", "")
	put(t, h, "/sys/devices/nvme0n1/queue/logical_block_size", "4096\n")
	for name, text := range map[string]string{"dev": "259:1\n", "partition": "1\n", "start": "2048\n", "size": "131072\n"} {
		put(t, h, "/sys/devices/nvme0n1/nvme0n1p1/"+name, text)
	}
	for link, to := range map[string]string{
		"/dev/disk/by-partuuid/6a1d2c3b-0000-4000-8000-00000000000a": "../../nvme0n1p1",
		"/sys/class/block/nvme0n1p1":                                 "../../devices/nvme0n1/nvme0n1p1",
	} {
		if err := os.MkdirAll(filepath.Dir(h.Path(link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, h.Path(link)); err != nil {
			t.Fatal(err)
		}
	}
	want := Partition{Device: "259:1", Number: 1, Start: 256, Size: 16384}
	if got, err := h.Partition(guid); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	put(t, h, "/sys/devices/nvme0n1/queue/logical_block_size", "0\n")
	if _, err := h.Partition(guid); err == nil {
		t.Error("a disk has blocks of no bytes")
	}
	if _, err := h.Partition("not-there"); err == nil {
		t.Error("found a partition that is not there")
	}
}
