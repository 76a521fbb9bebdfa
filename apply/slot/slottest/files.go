package slottest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Put writes a file of a machine, and makes the folders above it.
func Put(t *testing.T, h host.Host, path, text string) {
	t.Helper()
	path = h.Path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Link makes a symbolic link on a machine, and the folders above it.
func Link(t *testing.T, h host.Host, path, to string) {
	t.Helper()
	path = h.Path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// ESP is the GUID of the partition that PutESP makes.
const ESP = "6a1d2c3b-1122-4000-8000-00000000000a"

// PutESP gives a machine the first partition of an NVMe disk, as Linux shows it below /dev and /sys: blocks 2048 to 133119.
func PutESP(t *testing.T, h host.Host) {
	t.Helper()
	const disk = "/sys/devices/nvme0n1"
	Put(t, h, "/dev/nvme0n1p1", "")
	Put(t, h, disk+"/queue/logical_block_size", "512\n")
	for file, text := range map[string]string{"dev": "259:1", "partition": "1", "start": "2048", "size": "131072"} {
		Put(t, h, disk+"/nvme0n1p1/"+file, text+"\n")
	}
	Link(t, h, "/dev/disk/by-partuuid/"+ESP, "../../nvme0n1p1")
	Link(t, h, "/sys/class/block/nvme0n1p1", "../../devices/nvme0n1/nvme0n1p1")
}

// Breakable is a disk that refuses writes with errno while *broken.
func Breakable(under durable.Disk, broken *bool, errno syscall.Errno) durable.Disk {
	return durable.Disk{Intercept: func(op durable.Op, do func() error) error {
		if *broken && op.Kind == durable.OpWrite {
			return &os.PathError{Op: "write", Path: op.Path, Err: errno}
		}
		if under.Intercept == nil {
			return do()
		}
		return under.Intercept(op, do)
	}}
}
