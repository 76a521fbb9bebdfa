package slottest

import (
	"fmt"
	"os"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// OpenFake opens a rig of a Fake.
func OpenFake(t *testing.T, disk durable.Disk) *Rig {
	t.Helper()
	h := host.Host{Root: t.TempDir()}
	f := &Fake{host: h, disk: disk, tries: fakeTries}
	for _, dir := range []string{"proc/sys/kernel/random", "boot"} {
		if err := os.MkdirAll(h.Path("/"+dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(f.path(), []byte("order A B\nA good 0\nB bad 0\ntimeout 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &fakeMachine{Fake: f, saves: true}
	m.boot(t)
	return &Rig{
		Loader: f, Host: h, Tries: f.tries, Boot: m.boot, Foreign: m.foreign,
		Break:   func(t *testing.T) { t.Helper(); m.move(t, f.path()+".away", true) },
		Mend:    func(t *testing.T) { t.Helper(); m.move(t, f.path()+".away", false) },
		Unsaved: func(*testing.T) { m.saves = false },
		Stranger: func(t *testing.T) {
			t.Helper()
			m.leave(t, "root=/dev/vda2")
		},
	}
}

// fakeMachine boots from the file of a Fake.
type fakeMachine struct {
	*Fake
	saves bool
}

func (m *fakeMachine) boot(t *testing.T) slot.Name {
	t.Helper()
	e, err := m.read()
	if err != nil {
		t.Fatal(err)
	}
	name := e.next()
	if e.verdict[name] == slot.Trial {
		e.left[name]--
		if !m.saves {
			name = fakeNames.Of(fakeNames.Slot(name).Other())
		} else if err := os.WriteFile(m.path(), e.marshal(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.leave(t, fmt.Sprintf("root=/dev/vda2 %s=%s %s=%s", host.SlotParam, name, host.EnvParam, fakeMark))
	return fakeNames.Slot(name)
}

// leave writes the command line and the boot's number.
func (m *fakeMachine) leave(t *testing.T, line string) {
	t.Helper()
	id := fmt.Sprintf("boot of %s\n", t.Name())
	for path, text := range map[string]string{"/proc/cmdline": line + "\n", "/proc/sys/kernel/random/boot_id": id} {
		if err := os.WriteFile(m.host.Path(path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *fakeMachine) foreign(t *testing.T) string {
	t.Helper()
	e, err := m.read()
	if err != nil {
		return err.Error()
	}
	return e.rest
}

// move puts a sign up that the place cannot be written, or takes it away.
func (m *fakeMachine) move(t *testing.T, sign string, up bool) {
	t.Helper()
	var err error
	if up {
		err = os.WriteFile(sign, nil, 0o600)
	} else {
		err = os.Remove(sign)
	}
	if err != nil {
		t.Fatal(err)
	}
}
