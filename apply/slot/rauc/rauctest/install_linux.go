package rauctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// NeedsMounts skips a test where nothing can be mounted that lies in a file, as RAUC mounts a bundle.
func (m *Machine) NeedsMounts(t *testing.T) {
	t.Helper()
	file, dir := filepath.Join(t.TempDir(), "files"), t.TempDir()
	squash := exec.CommandContext(t.Context(), testtools.Tool(t, "mksquashfs", "squashfs-tools"), dir, file, "-quiet", "-no-progress")
	if out, err := squash.CombinedOutput(); err != nil {
		t.Fatalf("mksquashfs: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "loop,ro", file, dir).CombinedOutput(); err != nil {
		t.Skipf("no file can be mounted here (root and a loop device are needed): %v: %s", err, out)
	}
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	// A RAUC that was killed leaves its bundle mounted.
	t.Cleanup(func() { _ = syscall.Unmount(filepath.Join(m.Dir, "mnt", "bundle"), syscall.MNT_DETACH) })
}

// Slow makes the boot loader's program take a while for each call.
func (m *Machine) Slow(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.Machine.Dir, "slow"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(filepath.Join(m.Machine.Dir, "slow")) })
}

// WaitForInstall returns when RAUC installs.
func (m *Machine) WaitForInstall(t *testing.T) {
	t.Helper()
	conn, err := dbus.Connect(m.Bus)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for end := time.Now().Add(waiting); ; time.Sleep(20 * time.Millisecond) {
		op, err := conn.Object(name, "/").GetProperty(name + ".Installer.Operation")
		if err == nil && op.Value() == "installing" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("RAUC does not install: %v, %v", op, err)
		}
	}
}
