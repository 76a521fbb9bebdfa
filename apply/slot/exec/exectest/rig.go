// Package exectest is a machine whose boot loader a program speaks for.
package exectest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/exec"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Names are the loader's names of the slots.
var Names = slot.BootNames{A: "A", B: "B"}

// tries is how often the machine boots a slot that is not good for ever.
const tries = 3

// program keeps each slot's state in a file of its own: good, bad, or the tries that are left. A slot is good for ever once it is
// said to be good while it runs; before that it has tries.
const program = `#!/bin/sh
set -eu
cd "${0%/*}/state"
[ ! -e ../slow ] || sleep 0.3
put() { [ ! -e ../readonly ] || { echo "read-only file system" >&2; exit 1; }; echo "$2" >"$1"; }
show() { read -r is <"$1"; echo "$is"; }
case "$1 ${3-}" in
  "get-current ") show ../current ;;
  "get-primary ") show primary ;;
  "set-primary ")
    put primary "$2"
    case $(show "$2") in bad | 0) put "$2" 3 ;; esac ;;
  "get-state ") case $(show "$2") in bad | 0) echo bad ;; *) echo good ;; esac ;;
  "set-state good")
    case "$(show ../current) $(show "$2")" in
      "$2 "* | *" good") put "$2" good ;;
      *) put "$2" 3 ;;
    esac ;;
  "set-state bad") put "$2" bad ;;
  *) echo "usage: see the source" >&2; exit 2 ;;
esac
`

// Machine is the machine; its folder holds the program and the state.
type Machine struct {
	Dir  string
	Host host.Host

	saves bool
}

// NewMachine makes a machine that runs slot A.
func NewMachine(t *testing.T) *Machine {
	t.Helper()
	m := &Machine{Dir: t.TempDir(), Host: host.Host{Root: t.TempDir()}, saves: true}
	for _, dir := range []string{filepath.Join(m.Dir, "state"), m.Host.Path("/proc")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.write(t, "../program", program)
	if err := os.Chmod(m.Program(), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"primary": "A", "A": "good", "B": "bad", "recovery": "a slot of somebody else's"} {
		m.write(t, name, text+"\n")
	}
	m.Boot(t)
	return m
}

// Open opens a rig of a machine.
func Open(t *testing.T, disk durable.Disk) *slottest.Rig {
	t.Helper()
	m := NewMachine(t)
	l, err := exec.New(exec.Config{Command: []string{m.Program()}, Names: Names, Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	return m.Rig(l)
}

// Rig joins the machine with a loader that its program speaks for.
func (m *Machine) Rig(l slot.Loader) *slottest.Rig {
	return &slottest.Rig{
		Loader: l, Host: m.Host, Tries: tries, Coarse: true, Boot: m.Boot,
		Break:    func(t *testing.T) { t.Helper(); m.write(t, "../readonly", "") },
		Mend:     func(t *testing.T) { t.Helper(); m.remove(t, "../readonly") },
		Foreign:  func(t *testing.T) string { t.Helper(); return m.read(t, "recovery") },
		Unsaved:  func(*testing.T) { m.saves = false },
		Stranger: func(t *testing.T) { t.Helper(); m.remove(t, "../current") },
	}
}

// Program is the program that speaks for the boot loader.
func (m *Machine) Program() string { return filepath.Join(m.Dir, "program") }

// Boot is one start of the machine.
func (m *Machine) Boot(t *testing.T) slot.Name {
	t.Helper()
	primary := m.read(t, "primary")
	for _, name := range []string{primary, strings.Trim("AB", primary)} {
		if m.takes(t, name) {
			m.write(t, "../current", name+"\n")
			if err := os.WriteFile(m.Host.Path("/proc/cmdline"), []byte("root=/dev/vda2 rauc.slot="+name+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return Names.Slot(name)
		}
	}
	return slot.None
}

// takes tells whether a slot may be booted, and takes a try where one is due.
func (m *Machine) takes(t *testing.T, name string) bool {
	t.Helper()
	state := m.read(t, name)
	var left int
	switch n, _ := fmt.Sscan(state, &left); {
	case state == "good":
		return true
	case n == 0 || left == 0 || !m.saves:
		return false
	}
	m.write(t, name, fmt.Sprintln(left-1))
	return true
}

func (m *Machine) path(name string) string { return filepath.Join(m.Dir, "state", name) }

func (m *Machine) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(m.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func (m *Machine) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(m.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (m *Machine) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(m.path(name)); err != nil {
		t.Fatal(err)
	}
}
