//go:build linux

package watchdog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// machine is a folder with a watchdog of which the kernel tells these things.
func machine(t *testing.T, files map[string]string) host.Host {
	t.Helper()
	h := host.Host{Root: t.TempDir()}
	for name, text := range files {
		path := h.Path(filepath.Join(class, name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestLook(t *testing.T) {
	h := machine(t, map[string]string{"identity": "i6300ESB timer", "state": "inactive", "nowayout": "0", "timeout": "30", "max_timeout": "2046", "bootstatus": "32"})
	d, err := Look(h)
	want := Device{Path: h.Path("/dev/watchdog"), Identity: "i6300ESB timer", Timeout: 30 * time.Second, Most: 2046 * time.Second, Reset: true}
	if err != nil || *d != want {
		t.Errorf("got %+v, %v", d, err)
	}
	d, err = Look(machine(t, map[string]string{"state": "active", "nowayout": "1", "bootstatus": "0"}))
	if err != nil || !d.Running || !d.Stays || d.Reset || d.Most != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := Look(machine(t, map[string]string{"max_timeout": "soon"})); err == nil || !strings.Contains(err.Error(), `the watchdog's max_timeout: "soon" is no number`) {
		t.Errorf("got %v", err)
	}
	// IPMI's driver is not one of the kernel's class of watchdogs.
	h = host.Host{Root: t.TempDir()}
	if err := os.MkdirAll(h.Path(misc), 0o755); err != nil {
		t.Fatal(err)
	}
	if d, err := Look(h); err != nil || d == nil || *d != (Device{Path: h.Path("/dev/watchdog"), Silent: true}) {
		t.Errorf("a driver that says nothing: %+v, %v", d, err)
	}
	if d, err := Look(host.Host{Root: t.TempDir()}); d != nil || err != nil {
		t.Errorf("a machine without a watchdog: %+v, %v", d, err)
	}
}

// What is known before the device is opened is heeded before: to open it is to start it. What the driver then takes is tried in
// QEMU, for only a real driver says it.
func TestArmWithoutOpening(t *testing.T) {
	if _, err := Arm(host.Host{Root: t.TempDir()}, time.Minute, time.Minute); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	h := machine(t, map[string]string{"identity": "Broadcom BCM2835", "max_timeout": "15"})
	var short *ShortError
	if _, err := Arm(h, 10*time.Minute, 3*time.Minute); !errors.As(err, &short) || short.Took != 15*time.Second ||
		!strings.Contains(err.Error(), `"Broadcom BCM2835" takes no more than 15s, and 3m0s are needed`) {
		t.Errorf("got %v", err)
	}
}
