package rauc_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/exec/exectest"
	"github.com/sallyport-dev/sallyport/apply/slot/rauc"
	"github.com/sallyport-dev/sallyport/apply/slot/rauc/rauctest"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const imageSize = 48 << 10

// site is a machine with the bundle of a random image waiting for slot B.
func site(t *testing.T, disk durable.Disk) (m *rauctest.Machine, l *rauc.Loader, image []byte) {
	t.Helper()
	m = rauctest.NewMachine(t)
	image = make([]byte, imageSize)
	if _, err := rand.Read(image); err != nil {
		t.Fatal(err)
	}
	return m, rauc.New(rauc.Config{Bus: m.Bus, Names: exectest.Names, Disk: disk, Bundles: map[slot.Name]string{slot.B: m.Bundle(t, image)}}), image
}

// slotFile stands for the device of a slot.
type slotFile string

func (s slotFile) has(t *testing.T, image []byte) bool {
	t.Helper()
	b, err := os.ReadFile(string(s))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.HasPrefix(b, image)
}

// TestRAUCWritesAndActivates has the real RAUC install a bundle once, however often the slot is armed.
func TestRAUCWritesAndActivates(t *testing.T) {
	installs := 0
	m, l, image := site(t, durable.Disk{Intercept: func(op durable.Op, do func() error) error {
		if strings.HasPrefix(op.Path, "install ") {
			installs++
		}
		return do()
	}})
	m.NeedsMounts(t)
	a, b := slotFile(filepath.Join(m.Dir, "slot-a")), slotFile(filepath.Join(m.Dir, "slot-b"))
	arm := func() {
		t.Helper()
		if err := l.Disarm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
		if reboot, err := l.Arm(t.Context(), slot.B); err != nil || !reboot {
			t.Fatalf("%t, %v", reboot, err)
		}
	}
	arm()
	if !b.has(t, image) || a.has(t, image) {
		t.Fatal("the image is not where it belongs")
	}
	if arm(); installs != 1 {
		t.Errorf("installed %d times", installs)
	}
	if n := m.Boot(t); n != slot.B {
		t.Fatalf("slot %s runs", n)
	}
	if err := l.Commit(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if s, err := l.State(t.Context(), slot.B); err != nil || s != (slot.State{Verdict: slot.Good, First: true}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestAnotherInstallationVoidsTheNote has somebody else install something after us.
func TestAnotherInstallationVoidsTheNote(t *testing.T) {
	m, l, image := site(t, durable.Disk{})
	m.NeedsMounts(t)
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	other := rauc.New(rauc.Config{Bus: m.Bus, Names: exectest.Names, Bundles: map[slot.Name]string{slot.B: m.Bundle(t, []byte("other"))}})
	if _, err := other.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	b := slotFile(filepath.Join(m.Dir, "slot-b"))
	if b.has(t, image) {
		t.Fatal("nothing else was installed")
	}
	if _, err := l.Arm(t.Context(), slot.B); err != nil || !b.has(t, image) {
		t.Errorf("the slot does not hold our image (%v)", err)
	}
}

// TestABundleThatRAUCRefuses leaves slot A in charge.
func TestABundleThatRAUCRefuses(t *testing.T) {
	m := rauctest.NewMachine(t)
	stranger := rauctest.NewMachine(t)
	for path, want := range map[string]string{
		stranger.Bundle(t, []byte("image")): "signature",
		filepath.Join(m.Dir, "system.conf"): "Invalid bundle format",
	} {
		l := rauc.New(rauc.Config{Bus: m.Bus, Names: exectest.Names, Bundles: map[slot.Name]string{slot.B: path}})
		if err := l.Disarm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
		_, err := l.Arm(t.Context(), slot.B)
		var typed interface{ Reason() string }
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &typed) || typed.Reason() != "loader" {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
		if n := m.Boot(t); n != slot.A {
			t.Errorf("%s: slot %s runs", path, n)
		}
	}
}

// TestACutInTheInstallation has the power go before RAUC was told, and after it was done.
func TestACutInTheInstallation(t *testing.T) {
	for _, done := range []bool{false, true} {
		cut := errors.New("the power has gone")
		m, l, image := site(t, durable.Disk{Intercept: func(op durable.Op, do func() error) error {
			if !strings.HasPrefix(op.Path, "install ") {
				return do()
			}
			if done {
				return errors.Join(do(), cut)
			}
			return cut
		}})
		m.NeedsMounts(t)
		if err := l.Disarm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Arm(t.Context(), slot.B); !errors.Is(err, cut) {
			t.Fatalf("got %v", err)
		}
		want := map[bool]slot.Name{false: slot.A, true: slot.B}[done]
		if n := m.Boot(t); n != want {
			t.Errorf("done %t: slot %s runs, want %s", done, n, want)
		}
		if got := slotFile(filepath.Join(m.Dir, "slot-b")).has(t, image); got != done {
			t.Errorf("done %t: installed %t", done, got)
		}
	}
}

func TestNoRAUC(t *testing.T) {
	for _, bus := range []string{"unix:path=/no/such/bus", "nonsense:"} {
		l := rauc.New(rauc.Config{Bus: bus, Names: exectest.Names})
		var unready *slot.UnreadyError
		if err := l.Ready(t.Context()); !errors.As(err, &unready) {
			t.Errorf("%s: got %v", bus, err)
		}
	}
	m := rauctest.NewMachine(t)
	l := rauc.New(rauc.Config{Bus: m.Bus, Names: slot.BootNames{A: "A", B: "C"}})
	if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "0 slots with bootname=C") {
		t.Errorf("got %v", err)
	}
	l = rauc.New(rauc.Config{Bus: m.Bus, Names: exectest.Names})
	m.Signal(t, syscall.SIGSTOP)
	defer m.Signal(t, syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := l.Ready(ctx); err == nil {
		t.Error("a service that hangs is ready")
	}
}

// TestTheServiceDies has RAUC killed and started again while it installs.
func TestTheServiceDies(t *testing.T) {
	m, l, _ := site(t, durable.Disk{})
	m.NeedsMounts(t)
	m.Slow(t)
	done := make(chan error, 1)
	go func() {
		_, err := l.Arm(context.Background(), slot.B)
		done <- err
	}()
	m.WaitForInstall(t)
	m.Restart(t)
	if err := <-done; err == nil || !strings.Contains(err.Error(), "D-Bus error") {
		t.Errorf("got %v", err)
	}
	if n := m.Boot(t); n != slot.A {
		t.Errorf("slot %s runs", n)
	}
}
