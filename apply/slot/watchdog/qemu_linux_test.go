package watchdog

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// TestMain lets this program be the first process of a machine in QEMU, too.
func TestMain(m *testing.M) {
	if os.Getpid() == 1 {
		guest()
	}
	os.Exit(m.Run())
}

// hangTime is the watchdog's last time in the guest, which then hangs.
const hangTime = 4 * time.Second

// guest tries the driver of a real kernel, and says what came of it.
func guest() {
	step := func(name string, err error) {
		if err != nil {
			fmt.Printf("guest: FAILED %s: %v\n", name, err)
			_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		}
		fmt.Printf("guest: %s\n", name)
	}
	step("mount", errors.Join(unix.Mount("none", "/proc", "proc", 0, ""), unix.Mount("none", "/sys", "sysfs", 0, "")))
	_ = unix.Mount("none", "/dev", "devtmpfs", 0, "") // the kernel may have done it
	if _, err := Arm(host.Host{}, time.Minute, time.Second); !errors.Is(err, ErrNone) {
		step("none", fmt.Errorf("got %w", err))
	}
	step("modules", errors.Join(load("/watchdog.ko"), load("/softdog.ko")))
	time.Sleep(time.Second)
	step("too short is stopped again", tooShort())
	step("armed and left running", leftRunning())
	step("held by another", held())
	took, err := Arm(host.Host{}, hangTime, time.Second)
	if err == nil && took != hangTime {
		err = fmt.Errorf("it took %s", took)
	}
	step("hangs now", err)
	for { // like a system whose first process feeds nobody
		time.Sleep(time.Hour)
	}
}

func load(module string) error {
	f, err := os.Open(module)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// look wants the watchdog to be running or not, with a time.
func look(running bool, timeout time.Duration) error {
	d, err := Look(host.Host{})
	if err != nil || d == nil || d.Running != running || d.Timeout != timeout {
		return fmt.Errorf("it is %+v: %w", d, err)
	}
	return nil
}

// tooShort asks for a time of which the driver takes less: 65535 s are all that it has, and it says so only when it is asked.
func tooShort() error {
	const most = 65535 * time.Second
	took, err := Arm(host.Host{}, 48*time.Hour, 24*time.Hour)
	var short *ShortError
	if !errors.As(err, &short) || short.Took > most {
		return fmt.Errorf("got %s, %w", took, err)
	}
	d, err := Look(host.Host{})
	if err != nil || d.Running {
		return fmt.Errorf("it was left %+v: %w", d, err)
	}
	return nil
}

func leftRunning() error {
	took, err := Arm(host.Host{}, 90*time.Second+time.Millisecond, time.Minute)
	if err != nil || took != 91*time.Second {
		return fmt.Errorf("it took %s: %w", took, err)
	}
	return look(true, took)
}

func held() error {
	f, err := os.OpenFile("/dev/watchdog0", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = Arm(host.Host{}, time.Minute, time.Second)
	var held *HeldError
	if !errors.As(err, &held) {
		return fmt.Errorf("got %w", err)
	}
	_, err = f.WriteString("V")
	return errors.Join(err, f.Close())
}

// A real driver in a real kernel: the time that it took is read back, it runs on after the device is closed, one that took too
// little is stopped, and a machine that hangs is reset in that time.
func TestRealDriver(t *testing.T) {
	if testing.Short() || runtime.GOARCH != "amd64" {
		t.Skip("it boots a machine")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("qemu-system-x86 is not installed (make test installs it)")
	}
	kernel, err := testtools.Kernel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !static(t, self) {
		t.Skip("a machine without libraries needs a program without: CGO_ENABLED=0")
	}
	root, err := testtools.Initramfs(map[string]string{"init": self,
		"watchdog.ko": filepath.Join(kernel, "modules/drivers/watchdog/watchdog.ko"),
		"softdog.ko":  filepath.Join(kernel, "modules/drivers/watchdog/softdog.ko")})
	if err != nil {
		t.Fatal(err)
	}
	initrd := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(initrd, root, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-cpu", "max", "-m", "256",
		"-no-reboot", "-serial", "stdio", "-kernel", filepath.Join(kernel, "vmlinuz"), "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("guest: hangs now")) {
		t.Fatalf("%v:\n%s", err, out[max(0, len(out)-3000):])
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "FAILED") {
			t.Error(line)
		}
	}
	if !bytes.Contains(out, []byte("softdog: Initiating system reboot")) {
		t.Errorf("the machine went down otherwise:\n%s", out[max(0, len(out)-1000):])
	}
}

// static tells whether a program needs no loader of libraries.
func static(t *testing.T, path string) bool {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Section(".interp") == nil
}
