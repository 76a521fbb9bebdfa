//go:build boot

package uboot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// copies puts a file into a folder at a path.
func copies(t *testing.T, from, root, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, to)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// The code for raw flash on a real kernel's NAND, beside U-Boot's own tools.
func TestQEMUFlash(t *testing.T) {
	kernel, err := testtools.WholeKernel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copies(t, self, root, "init")
	for _, m := range guestModules {
		found, err := exec.Command("find", filepath.Join(kernel, "modules"), "-name", m[0]+".ko").Output()
		if err != nil {
			t.Fatal(err)
		}
		copies(t, strings.TrimSpace(string(found)), root, "modules/"+m[0]+".ko")
	}
	for _, name := range []string{"fw_printenv", "fw_setenv"} {
		program := testtools.Tool(t, name, "libubootenv-tool")
		copies(t, program, root, "bin/"+name)
		libraries, err := exec.Command("ldd", program).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(string(libraries)) {
			if filepath.IsAbs(word) {
				copies(t, word, root, word)
			}
		}
	}
	for _, dir := range []string{"proc", "sys", "dev", "etc", "var/lock"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pack := exec.Command("sh", "-c", "find . | cpio -o -H newc --quiet >../initrd")
	pack.Dir = root
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	limit, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	qemu := exec.CommandContext(limit, testtools.Tool(t, "qemu-system-x86_64", "qemu-system-x86"), "-nodefaults", "-no-user-config",
		"-display", "none", "-accel", "tcg", "-cpu", "max", "-m", "512", "-serial", "stdio", "-no-reboot",
		"-kernel", filepath.Join(kernel, "vmlinuz"), "-initrd", filepath.Join(root, "../initrd"), "-append", "console=ttyS0 quiet panic=-1")
	out, err := qemu.Output()
	if err != nil || !strings.Contains(string(out), guestDone) {
		t.Errorf("QEMU: %v\n%s", err, out)
	}
}
