package systemdboot_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot/systemdboottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const (
	entryA = "/efi/loader/entries/slot-a.conf"
	kernel = "linux /slot-a/vmlinuz\noptions sallyport.slot=slot-a\nsort-key s\nversion 4\n"
	loader = "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
	vars   = "/sys/firmware/efi/efivars/"
)

// machine is one whose slot A runs and whose slot B is passed over.
func machine(t *testing.T) (*systemdboottest.Machine, *systemdboot.Loader) {
	t.Helper()
	m := systemdboottest.New(t)
	m.Put(entryA, kernel)
	m.Put("/efi/loader/entries/slot-b+0.conf", strings.ReplaceAll(kernel, "-a", "-b"))
	if n := m.Boot(t); n != slot.A {
		t.Fatalf("slot %s runs", n)
	}
	return m, systemdboot.New(config(m))
}

func config(m *systemdboottest.Machine) systemdboot.Config {
	return systemdboot.Config{ESP: "/efi", Names: slot.BootNames{A: "slot-a", B: "slot-b"}, Host: m.Host}
}

func remove(t *testing.T, m *systemdboottest.Machine, path string) {
	t.Helper()
	if err := os.Remove(m.Host.Path(path)); err != nil {
		t.Fatal(err)
	}
}

// TestReady: what keeps a slot from being armed is named, before and while it is armed.
func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, m *systemdboottest.Machine)
		want  string
	}{
		// systemd#31215, talos#11400: a default chosen elsewhere beats the boot counter.
		"set-default":   {func(_ *testing.T, m *systemdboottest.Machine) { m.SetLoader("LoaderEntryDefault", 7, "slot-a.conf") }, "LoaderEntryDefault (slot-a.conf)"},
		"set-oneshot":   {func(_ *testing.T, m *systemdboottest.Machine) { m.SetLoader("LoaderEntryOneShot", 7, "slot-a.conf") }, "LoaderEntryOneShot (slot-a.conf)"},
		"set-preferred": {func(_ *testing.T, m *systemdboottest.Machine) { m.SetLoader("LoaderEntryPreferred", 7, "@saved") }, "LoaderEntryPreferred (@saved)"},
		"loader.conf": {func(_ *testing.T, m *systemdboottest.Machine) {
			m.Put("/efi/loader/loader.conf", "timeout 3\n default  slot-b*\n")
		},
			`"default  slot-b*" in /efi/loader/loader.conf`},
		// mender#294, meta-mender#550: the loader never ran, or it reads another place.
		"another loader":                        {func(t *testing.T, m *systemdboottest.Machine) { remove(t, m, vars+"LoaderInfo"+loader) }, "LoaderInfo is missing"},
		"a variable that anybody can have made": {func(_ *testing.T, m *systemdboottest.Machine) { m.SetLoader("LoaderInfo", 7, "systemd-boot 252") }, "LoaderInfo is missing"},
		"a loader that does not count": {func(_ *testing.T, m *systemdboottest.Machine) {
			m.Put(vars+"LoaderFeatures"+loader, "\x06\x00\x00\x00\x0f\x00\x00\x00\x00\x00\x00\x00")
		}, "does not count boots"},
		"another ESP": {func(_ *testing.T, m *systemdboottest.Machine) {
			m.Put("/proc/self/mountinfo", "31 22 8:1 / / rw - ext4 /dev/sda2 rw\n32 31 8:17 / /efi rw - vfat /dev/sdb1 rw\n")
		}, "/efi holds /dev/sdb1 (8:17)"},
		"no ESP mounted": {func(_ *testing.T, m *systemdboottest.Machine) {
			m.Put("/proc/self/mountinfo", "31 22 259:1 / / rw - ext4 /dev/sda2 rw\n")
		}, "no ESP is mounted at /efi"},
		"an automount that did not mount": {func(_ *testing.T, m *systemdboottest.Machine) {
			m.Put("/proc/self/mountinfo", "31 22 259:1 / /efi rw - autofs systemd-1 rw\n")
		}, "no ESP is mounted at /efi"},
		"mounted read-only": {func(_ *testing.T, m *systemdboottest.Machine) { m.Mount("ro") }, "mounted read-only"},
		// coreos/bugs#1628: nothing but the token tells two slots with one image apart.
		"no token": {func(_ *testing.T, m *systemdboottest.Machine) { m.Put("/proc/cmdline", "root=LABEL=root\n") }, "does not tell the slot"},
		"after kexec": {func(_ *testing.T, m *systemdboottest.Machine) { m.Put("/proc/cmdline", "sallyport.slot=slot-b\n") },
			"tells slot slot-b, and systemd-boot has booted slot-a"},
		"booted by an entry of others": {func(_ *testing.T, m *systemdboottest.Machine) { m.SetLoader("LoaderEntrySelected", 6, "memtest.conf") }, `"memtest.conf", which is the entry of no slot`},
		"no entry for the other slot":  {func(t *testing.T, m *systemdboottest.Machine) { remove(t, m, "/efi/loader/entries/slot-b+0.conf") }, "there is no slot-b.conf"},
		// systemd#32653, meta-tegra#1142: the loader's entry and what it starts are of two slots.
		"an entry that tells the other slot": {func(_ *testing.T, m *systemdboottest.Machine) {
			m.Put("/efi/loader/entries/slot-b+0.conf", kernel)
		}, "the options of the entry slot-b+0.conf do not tell its slot"},
		"an entry of others first": {func(_ *testing.T, m *systemdboottest.Machine) {
			m.Put("/efi/loader/entries/other.conf", "sort-key a\nefi /memtest.efi\n")
		}, "other.conf comes before"},
		"a kernel that is gone": {func(t *testing.T, m *systemdboottest.Machine) { remove(t, m, "/efi/slot-a/vmlinuz") }, "memtest.conf comes before"},
	} {
		t.Run(name, func(t *testing.T) {
			m, l := machine(t)
			c.spoil(t, m)
			_, armErr := l.Arm(t.Context(), slot.B)
			for _, err := range []error{l.Ready(t.Context()), armErr} {
				var unready *slot.UnreadyError
				if !errors.As(err, &unready) || !strings.Contains(err.Error(), c.want) || unready.Advice == "" {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		})
	}
	_, l := machine(t)
	if err := l.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestDisarmProves: a place that cannot be written is found before the first write to the slot's parts, though nothing is to change.
func TestDisarmProves(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
		m, _ := machine(t)
		c := config(m)
		c.Disk.Intercept = func(op durable.Op, do func() error) error {
			if op.Kind == durable.OpWrite {
				return errno
			}
			return do()
		}
		err := systemdboot.New(c).Disarm(t.Context(), slot.B)
		var unready *slot.UnreadyError
		if !errors.As(err, &unready) || !errors.Is(err, errno) {
			t.Errorf("%v: got %v", errno, err)
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

// TestVersionsGoDown: the armed slot comes first whatever its version was, and no entry but its own is written.
func TestVersionsGoDown(t *testing.T) {
	m, l := machine(t)
	m.Put("/efi/loader/entries/slot-b+0.conf", "title Older\nversion 1\nsort-key zzz\nmachine-id 1234\nlinux /slot-b/vmlinuz\noptions sallyport.slot=slot-b\n")
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	want := "title Older\nlinux /slot-b/vmlinuz\noptions sallyport.slot=slot-b\nsort-key s\nversion 5\n"
	if got, err := os.ReadFile(m.Host.Path("/efi/loader/entries/slot-b+3.conf")); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := os.ReadFile(m.Host.Path(entryA)); err != nil || string(got) != kernel {
		t.Errorf("got %q, %v", got, err)
	}
	if n := m.Boot(t); n != slot.B {
		t.Errorf("slot %s runs", n)
	}
}

// TestNameInUse: files of a slot whose counters meet would stop the loader's count; none are left beside each other.
func TestNameInUse(t *testing.T) {
	m, l := machine(t)
	m.Put("/efi/loader/entries/slot-b+1-2.conf", strings.ReplaceAll(kernel, "-a", "-b"))
	m.Put("/efi/loader/entries/slot-b+0-3.conf", strings.ReplaceAll(kernel, "-a", "-b"))
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	for range l.Tries {
		if n := m.Boot(t); n != slot.B {
			t.Errorf("slot %s runs", n)
		}
	}
	if n := m.Boot(t); n != slot.A {
		t.Errorf("slot %s runs after the last try", n)
	}
}

// TestUsedUp: a trial whose tries are used up is told from a slot that was disarmed.
func TestUsedUp(t *testing.T) {
	for file, want := range map[string]slot.State{
		"slot-b+0-3.conf": {Verdict: slot.Trial}, "slot-b+0.conf": {Verdict: slot.Bad}, "slot-b+1-2.conf": {Verdict: slot.Trial, Left: 1},
		"slot-b.conf": {Verdict: slot.Good}, "slot-b.txt": {Verdict: slot.Bad},
	} {
		m, l := machine(t)
		remove(t, m, "/efi/loader/entries/slot-b+0.conf")
		m.Put("/efi/loader/entries/"+file, strings.ReplaceAll(kernel, "slot-a", "slot-b"))
		// The same sort key and version as slot A's: the name decides, and that of B is the higher one.
		want.First = want.Verdict == slot.Good || want.Left > 0
		if got, err := l.State(t.Context(), slot.B); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", file, got, err)
		}
	}
}

// TestStateOfNothing: an ESP that is not mounted is no loader whose slots are bad.
func TestStateOfNothing(t *testing.T) {
	m, l := machine(t)
	m.Put("/proc/self/mountinfo", "31 22 259:2 / / rw - ext4 /dev/sda2 rw\n")
	if s, err := l.State(t.Context(), slot.A); err == nil {
		t.Errorf("got %+v", s)
	}
}

// TestStale: after kexec the loader's word is still that of the last boot of the firmware; it is the token that tells.
func TestStale(t *testing.T) {
	m, l := machine(t)
	m.Put("/proc/cmdline", "sallyport.slot=slot-b\n")
	if n, err := l.Running(context.Background()); n != slot.A || err != nil {
		t.Errorf("got %s, %v", n, err)
	}
	m.SetLoader("LoaderEntrySelected", 6, "SLOT-B+2-1.conf")
	if n, err := l.Running(context.Background()); n != slot.B || err != nil {
		t.Errorf("got %s, %v", n, err)
	}
}

// TestImagesOfOthers: a unified kernel image in EFI/Linux is an entry of its own, with the order that its os-release gives it.
func TestImagesOfOthers(t *testing.T) {
	for release, want := range map[string]string{
		"ID=debian\nPRETTY_NAME=\"Debian\"\nVERSION_ID=\"12\"\n": "rescue.efi comes before",
		"ID=zz\nPRETTY_NAME=\"Debian\"\n":                        "",
		"VERSION_ID=12\n":                                        "", // has no name: the loader passes over it
	} {
		m, l := machine(t)
		m.Put("/efi/EFI/Linux/rescue.efi", systemdboottest.Image(release))
		m.Put("/efi/EFI/Linux/tried+0.efi", systemdboottest.Image("ID=a\nNAME=a\n"))
		m.Put("/efi/EFI/Linux/none.efi", "MZ")
		err := l.Ready(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", release, err)
		}
	}
}
