package efi_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efi"
	"github.com/sallyport-dev/sallyport/apply/slot/efi/efitest"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// machine is one whose slot A runs.
func machine(t *testing.T) (*efitest.Machine, *efi.Loader) {
	t.Helper()
	m := efitest.New(t)
	if n := m.Boot(t); n != slot.A {
		t.Fatalf("slot %s runs", n)
	}
	return m, efi.New(m.Config(t, durable.Disk{}))
}

func write(t *testing.T, m *efitest.Machine, path, text string) {
	t.Helper()
	if err := os.WriteFile(m.Host.Path(path), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestReady: what keeps a slot from being armed is named.
func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, m *efitest.Machine)
		want  string
	}{
		"no efivarfs": {func(t *testing.T, m *efitest.Machine) {
			write(t, m, "/proc/self/mountinfo", "22 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n")
		}, "no EFI variables"},
		"read-only efivarfs": {func(_ *testing.T, m *efitest.Machine) { m.Mount("ro") }, "mounted read-only"},
		// mender#294, meta-mender#550: the machine was booted by something else.
		"booted by an entry of others":    {func(_ *testing.T, m *efitest.Machine) { m.Set("BootCurrent", 6, 1, 0) }, "has booted Boot0001"},
		"a word that is not of this boot": {func(_ *testing.T, m *efitest.Machine) { m.Set("BootCurrent", 7, 2, 0) }, "does not tell what it has booted"},
		// coreos/bugs#1628: nothing but the token tells two slots with one image apart.
		"no token": {func(t *testing.T, m *efitest.Machine) { write(t, m, "/proc/cmdline", "root=LABEL=root\n") }, "does not tell the slot"},
		"after kexec": {func(t *testing.T, m *efitest.Machine) { write(t, m, "/proc/cmdline", "sallyport.slot=slot-b\n") },
			"tells slot slot-b, and the firmware has booted slot-a"},
		"an update of the firmware is due": {func(_ *testing.T, m *efitest.Machine) { m.Set("BootNext", 7, 1, 0) }, "Boot0001 is to be booted next"},
		"booted from the menu":             {func(_ *testing.T, m *efitest.Machine) { m.Set("BootOrder", 7, 0, 0, 1, 0) }, "Boot0002, by which this machine was booted"},
		"not active":                       {func(_ *testing.T, m *efitest.Machine) { m.SetEntry(2, 0, "slot-a", efitest.Paths[slot.A]) }, "not an active entry"},
		"no partition": {func(t *testing.T, m *efitest.Machine) {
			if err := os.Remove(m.Host.Path("/dev/disk/by-partuuid/" + efitest.Partition)); err != nil {
				t.Fatal(err)
			}
		}, "partition of slot A cannot be found"},
		"half an order": {func(_ *testing.T, m *efitest.Machine) { m.Set("BootOrder", 7, 0, 0, 2) }, "BootOrder has 3 bytes"},
		"half a number": {func(_ *testing.T, m *efitest.Machine) { m.Set("BootNext", 7, 2) }, "BootNext has 1 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			m, l := machine(t)
			c.spoil(t, m)
			_, armErr := l.Arm(t.Context(), slot.B)
			for _, err := range []error{l.Ready(t.Context()), armErr} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
			if next := m.Get("BootNext"); next != nil && name != "an update of the firmware is due" && name != "half a number" {
				t.Errorf("BootNext is % x", next)
			}
		})
	}
	_, l := machine(t)
	if err := l.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNumberReused: fwupdate#55, firmware gives the number of an entry outside BootOrder to something else. The entry is made again
// under another number, at the end of BootOrder, and only that one is armed.
func TestNumberReused(t *testing.T) {
	m, l := machine(t)
	m.SetEntry(3, 1, "slot-b", efitest.Paths[slot.B])
	if err := l.Disarm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if got := m.Get("BootOrder"); !bytes.Equal(got, []byte{0, 0, 2, 0, 1, 0, 3, 0}) {
		t.Errorf("BootOrder is % x", got)
	}
	m.SetEntry(3, 1, "slot-b", "") // the same description, and the network behind it
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if next, order := m.Get("BootNext"), m.Get("BootOrder"); !bytes.Equal(next, []byte{4, 0}) || !bytes.Equal(order, []byte{0, 0, 2, 0, 1, 0, 3, 0, 4, 0}) {
		t.Errorf("BootNext is % x, BootOrder % x", next, order)
	}
	if n := m.Boot(t); n != slot.B {
		t.Errorf("slot %s runs", n)
	}
}

// TestOrderOfOthers: entries of others keep their places when the slots change theirs.
func TestOrderOfOthers(t *testing.T) {
	m, l := machine(t)
	m.SetEntry(3, 0, "b by hand", efitest.Paths[slot.B])
	m.SetEntry(4, 1, "b again", strings.ToUpper(efitest.Paths[slot.B]))
	m.Set("BootOrder", 7, 0, 0, 3, 0, 2, 0, 1, 0, 4, 0)
	if err := l.Disarm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if s, err := l.State(t.Context(), slot.B); err != nil || s.Verdict != slot.Bad {
		t.Errorf("slot b is %+v, %v", s, err)
	}
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if got := m.Get("BootOrder"); !bytes.Equal(got, []byte{0, 0, 2, 0, 3, 0, 1, 0, 4, 0}) {
		t.Errorf("armed: BootOrder is % x", got)
	}
	m.Boot(t)
	if err := l.Commit(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if got := m.Get("BootOrder"); !bytes.Equal(got, []byte{0, 0, 3, 0, 4, 0, 1, 0, 2, 0}) {
		t.Errorf("committed: BootOrder is % x", got)
	}
}

// TestDisarmProves: full or broken memory of the firmware is found before the first write to the slot's parts, and so is firmware
// that takes a value and keeps none.
func TestDisarmProves(t *testing.T) {
	lying := errors.New("lying")
	for _, fault := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EINVAL, lying} {
		m, l := machine(t)
		if err := l.Disarm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
		l = efi.New(m.Config(t, durable.Disk{Intercept: func(op durable.Op, do func() error) error {
			if op.Kind == durable.OpWrite && errors.Is(fault, lying) {
				return nil
			}
			if op.Kind == durable.OpWrite {
				return fault
			}
			return do()
		}}))
		err := l.Disarm(t.Context(), slot.B)
		var unready *slot.UnreadyError
		if !errors.As(err, &unready) || unready.Advice == "" || !errors.Is(fault, lying) && !errors.Is(err, fault) {
			t.Errorf("%v: got %v", fault, err)
		}
	}
}

// TestLastGoodSlot: nothing takes away the only slot that can be booted.
func TestLastGoodSlot(t *testing.T) {
	m, l := machine(t)
	if err := l.Disarm(t.Context(), slot.A); err == nil {
		t.Error("the only good slot was disarmed")
	}
	if n := m.Boot(t); n != slot.A {
		t.Errorf("slot %s runs", n)
	}
}

// TestOptions: the command line of site.yaml is what an entry hands over, and where there is none the entry keeps its own. A trial's
// says that it is one, for what boots it again if it ends in emergency mode (systemd#7063), and a good slot's does not.
func TestOptions(t *testing.T) {
	m, _ := machine(t)
	c := m.Config(t, durable.Disk{})
	c.B.Options = "root=/dev/vda3 sallyport.slot=slot-b"
	for _, want := range []string{c.B.Options, c.B.Options, "quiet"} {
		if want == "quiet" {
			c.B.Options = want
		}
		l := efi.New(c)
		if err := l.Disarm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Arm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
		hands(t, m, want+" sallyport.trial")
	}
	m.Boot(t)
	if err := efi.New(c).Commit(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	hands(t, m, "quiet")
	m.Set("BootOrder", 7, 2, 0, 3, 0)
	m.Boot(t)
	c.B.Options = ""
	if _, err := efi.New(c).Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	hands(t, m, "quiet")
}

// hands wants a command line in the entry that was made for slot B.
func hands(t *testing.T, m *efitest.Machine, want string) {
	t.Helper()
	if o, err := efivar.ParseLoadOption(m.Get("Boot0003")); err != nil || !bytes.Equal(o.Optional, efivar.OfText(want)) {
		t.Errorf("got %+v, %v, want %q", o, err, want)
	}
}

// TestEfibootmgr lets Debian's efibootmgr read what Arm and Commit write, and reads what efibootmgr writes.
func TestEfibootmgr(t *testing.T) {
	program, err := exec.LookPath("efibootmgr")
	if err != nil {
		t.Skip("efibootmgr is not installed")
	}
	m, l := machine(t)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = append(os.Environ(), "EFIVARFS_PATH="+m.Host.Path(efivar.Dir)+"/")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	shows := func(want ...string) {
		t.Helper()
		out := run("-v")
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in:\n%s", w, out)
			}
		}
	}
	is := func(n slot.Name, want slot.State) {
		t.Helper()
		if got, err := l.State(t.Context(), n); err != nil || got != want {
			t.Errorf("slot %s is %+v, %v", n, got, err)
		}
	}
	if err := l.Disarm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	shows("BootOrder: 0000,0002,0001,0003", "Boot0003  slot-b", `File(\EFI\slot-b\linux.efi)`)
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	shows("BootNext: 0003", "Boot0003* slot-b", "BootCurrent: 0002")
	run("-N")
	is(slot.B, slot.State{Verdict: slot.Trial})
	run("-n", "0003")
	is(slot.B, slot.State{Verdict: slot.Trial, Left: 1, First: true})
	m.Boot(t)
	if err := l.Commit(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	shows("BootOrder: 0000,0003,0001,0002", "BootCurrent: 0003")
	run("-b", "0003", "-A")
	is(slot.B, slot.State{Verdict: slot.Bad})
	is(slot.A, slot.State{Verdict: slot.Good, First: true})
	run("-b", "0003", "-a")
	run("-o", "0002,0003,0000,0001")
	is(slot.A, slot.State{Verdict: slot.Good, First: true})
	is(slot.B, slot.State{Verdict: slot.Good})
}

func FuzzRecord(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.record")
	if err != nil || len(seeds) == 0 {
		f.Fatal("there are no seeds", err)
	}
	for _, seed := range seeds {
		b, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := efi.ParseRecord(b); (err == nil) != slices.Contains([]string{"fresh.record", "trial.record"}, filepath.Base(seed)) {
			f.Errorf("%s: %v", seed, err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if back, err := efi.ParseRecord(b); err == nil && !bytes.Equal(back, b) {
			t.Errorf("%q became %q", b, back)
		}
	})
}
