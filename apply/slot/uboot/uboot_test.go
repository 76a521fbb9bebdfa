package uboot

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// machine is a machine whose environment is two files of 256 bytes.
type machine struct {
	t *testing.T
	*Loader
	h host.Host
}

const (
	smallSize = 256
	healthy   = "BOOT_ORDER=A B\x00BOOT_A_LEFT=3\x00sallyport_A=good\x00BOOT_B_LEFT=2\x00sallyport_B=trial\x00sallyport_mark=8f2c\x00\x00"
	booted    = "console=ttyS0 sallyport.slot=A sallyport.env=8f2c"
)

func newMachine(t *testing.T, vars string) *machine {
	t.Helper()
	m := &machine{t: t, h: host.Host{Root: t.TempDir()}}
	for _, dir := range []string{"/etc", "/proc", "/var/lock", "/boot"} {
		if err := os.MkdirAll(m.h.Path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.put("/etc/fw_env.config", "/boot/a.env 0 0x100\n/boot/b.env 0 0x100\n")
	m.put("/proc/cmdline", booted)
	data := append([]byte(vars), make([]byte, smallSize-5-len(vars))...)
	m.put("/boot/a.env", string(newImage(data, true, 3)))
	m.put("/boot/b.env", string(newImage(data, true, 2)))
	l, err := New(Config{Names: slot.BootNames{A: "A", B: "B"}, Host: m.h})
	if err != nil {
		t.Fatal(err)
	}
	m.Loader = l
	return m
}

func (m *machine) put(path, text string) {
	m.t.Helper()
	put(m.t, m.h.Path(path), text)
}

func (m *machine) get(path string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.h.Path(path))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

func wantUnready(t *testing.T, err error, text string) {
	t.Helper()
	var u *slot.UnreadyError
	if !errors.As(err, &u) || !strings.Contains(u.Error(), text) || u.Advice == "" {
		t.Errorf("got %v, want an UnreadyError about %q", err, text)
	}
}

// mender#294, meta-mender#550: a script that never ran, and one that reads another environment, are found before the first arming.
func TestReadyWantsTheMarkOfThisBoot(t *testing.T) {
	if err := newMachine(t, healthy).Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"root=/dev/mmcblk0p2":                  "has no sallyport.slot=",
		"sallyport.slot=A":                     "has no sallyport.env=",
		"sallyport.slot=A sallyport.env=0000 ": "sallyport.env=0000",
		"sallyport.slot=A sallyport.env=":      "has no sallyport.env=",
		"sallyport.slot=C sallyport.env=8f2c":  "the slots are A and B",
	} {
		m := newMachine(t, healthy)
		m.put("/proc/cmdline", line)
		wantUnready(t, m.Ready(t.Context()), want)
	}
	wantUnready(t, newMachine(t, strings.Replace(healthy, "sallyport_mark", "mark", 1)).Ready(t.Context()), "sallyport_mark is not set")
}

func TestReadyChangesNothing(t *testing.T) {
	m := newMachine(t, healthy)
	before := m.get("/boot/a.env") + m.get("/boot/b.env")
	if err := m.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m.get("/boot/a.env")+m.get("/boot/b.env") != before {
		t.Error("it has written")
	}
}

func TestVariablesThatTheScriptWouldNotUnderstand(t *testing.T) {
	for change, want := range map[string]string{
		"sallyport_B=trial>sallyport_B=maybe":    "neither good, trial nor bad",
		"BOOT_B_LEFT=2>BOOT_B_LEFT=a":            "not a number of tries",
		"BOOT_B_LEFT=2>BOOT_B_LEFT=8":            "not a number of tries",
		"BOOT_B_LEFT=2>BOOT_B_LEFT=02":           "not a number of tries",
		"BOOT_B_LEFT=2>BOOT_B_LEFT=":             "not a number of tries",
		"BOOT_ORDER=A B>BOOT_ORDER=A A":          "names A twice",
		"BOOT_A_LEFT=3>sallyport_B=good":         "sallyport_B twice",
		"sallyport_mark=8f2c>BOOT_ORDER=B A\xff": "BOOT_ORDER twice",
	} {
		old, changed, _ := strings.Cut(change, ">")
		m := newMachine(t, strings.Replace(healthy, old, changed, 1))
		before := m.get("/boot/a.env") + m.get("/boot/b.env")
		wantUnready(t, m.Ready(t.Context()), want)
		wantUnready(t, m.Disarm(t.Context(), slot.B), want)
		if m.get("/boot/a.env")+m.get("/boot/b.env") != before {
			t.Errorf("%s: it was repaired", change)
		}
	}
}

// A slot that the order does not name, or of which nothing is said, is passed over by the script.
func TestStateOfWhatIsMissing(t *testing.T) {
	for _, change := range []string{"BOOT_ORDER=A B>BOOT_ORDER=A C", "sallyport_B=>other_B=", "BOOT_ORDER>ORDER"} {
		old, changed, _ := strings.Cut(change, ">")
		m := newMachine(t, strings.Replace(healthy, old, changed, 1))
		if got, err := m.State(t.Context(), slot.B); err != nil || got != (slot.State{Verdict: slot.Bad}) {
			t.Errorf("%s: got %+v, %v", change, got, err)
		}
	}
}

func TestArmKeepsTheSlotsOfOthers(t *testing.T) {
	m := newMachine(t, strings.Replace(healthy, "BOOT_ORDER=A B", "BOOT_ORDER=rescue A net B", 1))
	if _, err := m.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	s, err := openStore(m.cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := env{"BOOT_ORDER=B rescue A net", "BOOT_A_LEFT=3", "sallyport_A=good", "BOOT_B_LEFT=3", "sallyport_B=trial", "sallyport_mark=8f2c"}
	if !slices.Equal(s.env, want) {
		t.Errorf("got %q", s.env)
	}
}

func TestOneCopyIsRefused(t *testing.T) {
	m := newMachine(t, healthy)
	data := append([]byte(healthy), make([]byte, smallSize-4-len(healthy))...)
	m.put("/boot/a.env", string(newImage(data, false, 0)))
	m.put("/etc/fw_env.config", "/boot/a.env 0 0x100\n")
	wantUnready(t, m.Disarm(t.Context(), slot.B), "one copy")
	m.cfg.Single = true
	if err := m.Disarm(t.Context(), slot.B); err != nil {
		t.Error(err)
	}
	if got, err := m.State(t.Context(), slot.B); err != nil || got.Verdict != slot.Bad {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A damaged copy is written next, and never counts; one that cannot be read at all neither.
func TestOneDamagedCopy(t *testing.T) {
	m := newMachine(t, healthy)
	m.put("/boot/a.env", strings.Repeat("\xff", smallSize))
	for range 2 {
		if err := m.Disarm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := m.State(t.Context(), slot.B); err != nil || got.Verdict != slot.Bad {
		t.Errorf("got %+v, %v", got, err)
	}
	m = newMachine(t, healthy)
	m.put("/boot/a.env", "")
	if got, err := m.State(t.Context(), slot.B); err != nil || got.Left != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	wantUnready(t, m.Disarm(t.Context(), slot.B), "a.env")
}

func TestCopiesThatAreOne(t *testing.T) {
	m := newMachine(t, healthy)
	if err := os.Symlink("a.env", m.h.Path("/boot/link.env")); err != nil {
		t.Fatal(err)
	}
	m.put("/etc/fw_env.config", "/boot/a.env 0 0x100\n/boot/link.env 0 0x100\n")
	wantUnready(t, m.Ready(t.Context()), "lie in one place")
}

func TestPlacesThatAreNone(t *testing.T) {
	for config, want := range map[string]string{
		"/boot/a.env 0 0x100\n/boot/none 0 0x100":       "none: no such file",
		"/boot/a.env 0 0x100\n/boot 0 0x100":            "neither a file nor a device",
		"/boot/a.env 0 0x100\n/dev/ubi0:env 0 0x100":    "its own node",
		"/boot/a.env 0x10 0x100\n/boot/b.env 4 0x100":   "does not hold 0x100 bytes",
		"/boot/a.env -0x100 0x100\n/boot/b.env 0 0x100": "of a block device only",
		"/boot/a.env": "line 1",
	} {
		m := newMachine(t, healthy)
		m.put("/etc/fw_env.config", config)
		wantUnready(t, m.Ready(t.Context()), want)
	}
	m := newMachine(t, healthy)
	if err := os.Remove(m.h.Path("/etc/fw_env.config")); err != nil {
		t.Fatal(err)
	}
	wantUnready(t, m.Ready(t.Context()), "fw_env.config")
}

// On a block device a negative offset counts from the end.
func TestOffsetFromTheEnd(t *testing.T) {
	m := newMachine(t, healthy)
	m.put("/boot/a.env", strings.Repeat("x", 600))
	p := &plain{path: m.h.Path("/boot/a.env"), host: m.h, place: place{device: "/boot/a.env", offset: -512, size: 256}}
	if err := p.write([]byte(strings.Repeat("y", 256))); err != nil {
		t.Fatal(err)
	}
	if got, err := p.read(); err != nil || string(got) != m.get("/boot/a.env")[88:344] || got[0] != 'y' {
		t.Errorf("got %q, %v", got, err)
	}
	p.offset = -601
	if _, err := p.read(); err == nil || !strings.Contains(err.Error(), "too short") {
		t.Errorf("got %v", err)
	}
}

func TestNamesThatNoVariableCanHave(t *testing.T) {
	for _, name := range []string{"", "a b", "a=b", "ä", "mark", "a.b"} {
		if _, err := New(Config{Names: slot.BootNames{A: "A", B: name}}); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if _, err := New(Config{Names: slot.BootNames{A: "system0", B: "system_1"}, Tries: 8}); err == nil {
		t.Error("8 tries are taken")
	}
}
