package part

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// loop makes a block device of a file, where this machine lets its user do that.
func loop(t *testing.T, size int64, options ...string) (device, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", append(options, "--find", "--show", file)...).CombinedOutput()
	if err != nil {
		t.Skipf("no loop devices here: %v: %s", err, out)
	}
	device = strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "-d", device).CombinedOutput(); err != nil {
			t.Errorf("losetup -d: %v: %s", err, out)
		}
	})
	return device, file
}

// tool runs a program that this machine may lack.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func fitLoop(device string, size int) (*Target, error) {
	return Fit(host.Host{}, Places{"root": device}, Places{}, map[string]int64{"root": int64(size)})
}

func TestLoopWritten(t *testing.T) {
	for _, sector := range []string{"512", "4096"} {
		device, file := loop(t, 8*chunk, "--sector-size", sector)
		old := noise(1, 8*chunk)
		if err := os.WriteFile(file, old, 0o600); err != nil {
			t.Fatal(err)
		}
		image := noise(2, 5*chunk+777)
		clear(image[chunk+unit : 3*chunk])
		target, err := fitLoop(device, len(image))
		if err != nil {
			t.Fatal(err)
		}
		done, err := writeTo(target, durable.Disk{}, image)
		if err != nil {
			t.Fatal(err)
		}
		if done.Zeroed != 2*chunk-unit || done.Skipped != 0 {
			t.Errorf("sectors of %s bytes: %+v", sector, done)
		}
		if got := readDevice(t, file); !bytes.Equal(got, append(bytes.Clone(image), old[len(image):]...)) {
			t.Errorf("sectors of %s bytes: the medium holds something else", sector)
		}
		if done, err = writeTo(target, durable.Disk{}, image); err != nil || done != (Written{Skipped: int64(len(image))}) {
			t.Errorf("again: %+v, %v", done, err)
		}
	}
}

func readDevice(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the page cache has of a device is not what is on its medium.
func TestDigestAsksTheMedium(t *testing.T) {
	device, file := loop(t, chunk)
	if len(readDevice(t, device)) != chunk { // now it is in memory
		t.Fatal("the device has another size")
	}
	f, err := os.OpenFile(file, os.O_WRONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		t.Skip("the file system of the test knows no direct I/O")
	}
	if err != nil {
		t.Fatal(err)
	}
	now := aligned(chunk)
	copy(now, noise(3, chunk))
	if _, err := f.WriteAt(now, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Digest(t.Context(), host.Host{}, device, chunk)
	if err != nil || got != digest.FromBytes(now) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestLoopRefused(t *testing.T) {
	device, _ := loop(t, 64*chunk)
	if _, err := fitLoop(device, 64*chunk+1); err == nil {
		t.Error("an image that is too large fits")
	}
	held, err := os.OpenFile(device, os.O_RDONLY|unix.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fitLoop(device, chunk)
	unfit(t, err, "in use")
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}

	tool(t, "mkfs.ext4", "-q", device)
	point := t.TempDir()
	tool(t, "mount", device, point)
	_, err = fitLoop(device, chunk)
	unfit(t, err, "mounted at "+point)
	if p, err := Writable(host.Host{}, device); err != nil || p != point {
		t.Errorf("mounted for writing at %q, %v", p, err)
	}
	tool(t, "umount", point)
	if _, err = fitLoop(device, chunk); err != nil {
		t.Error(err)
	}

	readOnly, _ := loop(t, chunk, "--read-only")
	_, err = fitLoop(readOnly, chunk)
	unfit(t, err, "read-only")
}

func TestLoopBelowALoop(t *testing.T) {
	device, _ := loop(t, 4*chunk)
	out, err := exec.Command("losetup", "--find", "--show", device).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	above := strings.TrimSpace(string(out))
	defer func() { _ = exec.Command("losetup", "-d", above).Run() }()
	_, err = fitLoop(device, chunk)
	unfit(t, err, filepath.Base(above)+" is made of it")
}

// A partition and the disk that it is on are one place, as the kernel has them.
func TestLoopPartitions(t *testing.T) {
	device, _ := loop(t, 64*chunk)
	tool(t, "sgdisk", "--new=1:0:+16M", "--new=2:0:+16M", device)
	tool(t, "partx", "--add", device)
	t.Cleanup(func() { tool(t, "partx", "--delete", device) })
	one, two := device+"p1", device+"p2"
	for _, p := range []string{one, two} {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("nobody makes the nodes of partitions here: %v", err)
		}
	}
	sizes := map[string]int64{"root": chunk}
	_, err := Fit(host.Host{}, Places{"root": one}, Places{"root": device}, sizes)
	unfit(t, err, "shares blocks with")
	tool(t, "mkfs.ext4", "-q", one)
	point := t.TempDir()
	tool(t, "mount", one, point)
	defer tool(t, "umount", point)
	_, err = Fit(host.Host{}, Places{"root": device}, Places{}, sizes)
	unfit(t, err, "mounted at "+point)
	target, err := Fit(host.Host{}, Places{"root": two}, Places{"root": one}, sizes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writeTo(target, durable.Disk{}, noise(1, chunk)); err != nil {
		t.Error(err)
	}
}

// rpi-image-gen#160: mounted read-only once, the base's bytes have changed, for the journal was played back. With noload they have
// not.
func TestReadOnlyMountChangesExt4(t *testing.T) {
	const size = 32 * chunk
	crashed := uncleanExt4(t, size)
	for options, changes := range map[string]bool{"ro": true, "ro,noload": false} {
		device, file := loop(t, size)
		if err := os.WriteFile(file, crashed, 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := Digest(t.Context(), host.Host{}, device, size)
		if err != nil {
			t.Fatal(err)
		}
		point := t.TempDir()
		tool(t, "mount", "-o", options, device, point)
		tool(t, "umount", point)
		after, err := Digest(t.Context(), host.Host{}, device, size)
		if err != nil {
			t.Fatal(err)
		}
		if (before != after) != changes {
			t.Errorf("mounted with %s: from %.19s to %.19s", options, before, after)
		}
	}
}

// uncleanExt4 is a file system as a power cut leaves it: its journal holds what is not in its place yet.
func uncleanExt4(t *testing.T, size int64) []byte {
	t.Helper()
	device, file := loop(t, size)
	tool(t, "mkfs.ext4", "-q", device)
	point := t.TempDir()
	tool(t, "mount", device, point)
	defer tool(t, "umount", point)
	if err := os.WriteFile(filepath.Join(point, "file"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "sync", "-f", point)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A file goes neither to a file system that cannot be written, nor to one that is a part of the slot that runs: the file system
// that it belongs on is not mounted then.
func TestFilesOnLoops(t *testing.T) {
	device, _ := loop(t, 32*chunk)
	tool(t, "mkfs.ext4", "-q", device)
	point := t.TempDir()
	tool(t, "mount", device, point)
	defer tool(t, "umount", point)
	file, sizes := Places{"kernel": filepath.Join(point, "b.efi")}, map[string]int64{"kernel": 100}
	if _, err := Fit(host.Host{}, file, Places{}, sizes); err != nil {
		t.Error(err)
	}
	_, err := Fit(host.Host{}, file, Places{"root": device}, sizes)
	unfit(t, err, "part root of the slot that runs")
	tool(t, "mount", "-o", "remount,ro", point)
	_, err = Fit(host.Host{}, file, Places{}, sizes)
	unfit(t, err, "mounted read-only")
}
