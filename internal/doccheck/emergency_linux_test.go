package doccheck_test

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/doccheck"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// programs are what a small system with the systemd of this machine consists of.
var programs = []string{"/lib/systemd/systemd", "/lib/systemd/systemd-shutdown", "/lib/systemd/systemd-sulogin-shell",
	"/lib/systemd/system-generators/systemd-fstab-generator", "/bin/systemctl", "/bin/mount", "/bin/umount", "/sbin/sulogin", "/bin/sh", "/bin/true", "/bin/sleep"}

// smallSystem lists the files of a system that systemd brings up, by their paths in it, and copies nothing.
func smallSystem(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	add := func(path string) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			t.Skipf("this machine lacks %s: %v", path, err)
		}
		files[strings.TrimPrefix(path, "/")] = real
	}
	for _, p := range programs {
		add(p)
		out, err := exec.Command("ldd", p).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(string(out)) {
			if strings.HasPrefix(word, "/") {
				add(word)
			}
		}
	}
	err := filepath.WalkDir("/lib/systemd/system/", func(path string, d fs.DirEntry, err error) error {
		// Services of a larger system would only fail here.
		if err == nil && (strings.HasSuffix(path, ".target") || slices.Contains([]string{"emergency.service", "rescue.service"}, d.Name())) {
			files[strings.TrimPrefix(path, "/")] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// In emergency mode the first process lives and none of our units is begun (systemd#7063): here the disk for the state is missing.
// The deadline ends it all the same, and a boot that is no try is left to the person at the console.
func TestDeadlineInEmergencyMode(t *testing.T) {
	if testing.Short() || runtime.GOARCH != "amd64" {
		t.Skip("it boots machines")
	}
	for _, name := range []string{"qemu-system-x86_64", "systemctl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	kernel, err := testtools.Kernel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files := smallSystem(t)
	// What is ours is installed as docs/operations.md says.
	etc := filepath.Join(t.TempDir(), "root")
	for name, text := range map[string]string{
		"etc/fstab":               "LABEL=data /var ext4 defaults,x-systemd.device-timeout=3s 0 2\n",
		"etc/passwd":              "root:x:0:0:root:/:/bin/sh\n",
		"etc/shadow":              "root:*:1::::::\n",
		"etc/os-release":          "ID=small\n",
		"etc/machine-id":          "0123456789abcdef0123456789abcdef\n",
		"usr/local/bin/sallyport": "#!/bin/sh\necho \"sallyport: $*\" >/dev/console\nexit 2\n", // there is no site.yaml
		"etc/systemd/system/sallyport-confirm-deadline.timer.d/soon.conf": "[Timer]\nOnBootSec=\nOnBootSec=30s\n",
		// The machine goes off in the end, whatever happens.
		"etc/systemd/system/end.service": "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n[Service]\nType=oneshot\nExecStart=/bin/sleep 60\nExecStartPost=/bin/sh -c 'echo guest: still here >/dev/console'\nExecStartPost=/bin/systemctl poweroff -ff\n[Install]\nWantedBy=sysinit.target\n",
	} {
		path := filepath.Join(etc, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name := range units(t) {
		raw, err := os.ReadFile(filepath.Join(doccheck.Root(), "docs/systemd", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(etc, "etc/systemd/system", name), raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	enable := []string{"--root=" + etc, "enable", "end.service", "sallyport-confirm.service", "sallyport-confirm-deadline.timer"}
	if out, err := exec.Command("systemctl", enable...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Symlink("/lib/systemd/systemd", filepath.Join(etc, "init")); err != nil {
		t.Fatal(err)
	}
	maps.Copy(files, below(t, etc))
	root, err := testtools.Initramfs(files)
	if err != nil {
		t.Fatal(err)
	}
	initrd := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(initrd, root, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, line string
		reboots    bool
	}{{"a try", "sallyport.trial", true}, {"no try", "", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			began := time.Now()
			out, err := exec.CommandContext(ctx, "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-cpu", "max", "-m", "512",
				"-no-reboot", "-serial", "stdio", "-kernel", filepath.Join(kernel, "vmlinuz"), "-initrd", initrd,
				"-append", "console=ttyS0 quiet panic=-1 systemd.log_target=console systemd.show_status=1 "+tt.line).CombinedOutput()
			if err != nil {
				t.Errorf("%v", err)
			}
			t.Logf("%s in %s", tt.name, time.Since(began))
			for _, want := range []string{"emergency mode", "sallyport: confirm --deadline --reboot --progress none"} {
				if !bytes.Contains(bytes.ToLower(out), []byte(want)) {
					t.Errorf("the console does not say %q", want)
				}
			}
			if stayed := bytes.Contains(out, []byte("guest: still here")); stayed == tt.reboots {
				t.Errorf("it booted again: %t", !stayed)
			}
			if t.Failed() {
				t.Logf("%s", out[max(0, len(out)-6000):])
			}
		})
	}
}

// below lists what is in a folder, by the paths in it.
func below(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var rel string
			rel, err = filepath.Rel(dir, path)
			files[rel] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
