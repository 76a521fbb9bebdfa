// Package rauctest is a machine on which Debian's RAUC runs, on a bus of its own.
package rauctest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/exec/exectest"
	"github.com/sallyport-dev/sallyport/apply/slot/rauc"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

const (
	busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
`
	systemConfig = `[system]
compatible=test
bootloader=custom
mountprefix=%[1]s/mnt
statusfile=%[1]s/status
[handlers]
bootloader-custom-backend=%[2]s
[keyring]
path=%[1]s/cert.pem
[slot.rootfs.0]
device=%[1]s/slot-a
type=raw
bootname=A
[slot.rootfs.1]
device=%[1]s/slot-b
type=raw
bootname=B
`
	name    = "de.pengutronix.rauc"
	waiting = 20 * time.Second
)

// Machine is a machine whose boot loader RAUC asks and tells by way of a program, as it does of a loader that it does not know.
type Machine struct {
	*exectest.Machine
	Dir string // RAUC's files: status, slot-a, slot-b
	Bus string // the address of the bus

	booted  slot.Name
	service *process
}

// NewMachine makes a machine that runs slot A, with RAUC at work.
func NewMachine(t *testing.T) *Machine {
	t.Helper()
	m := &Machine{Machine: exectest.NewMachine(t), Dir: t.TempDir(), booted: slot.A}
	m.Bus = "unix:path=" + filepath.Join(m.Dir, "bus")
	m.key(t)
	for name, text := range map[string]string{
		"bus.conf":    fmt.Sprintf(busConfig, filepath.Join(m.Dir, "bus")),
		"system.conf": fmt.Sprintf(systemConfig, m.Dir, m.Program()),
		"slot-a":      strings.Repeat("a", 64<<10), "slot-b": strings.Repeat("b", 64<<10),
	} {
		m.write(t, name, text)
	}
	if err := os.Mkdir(filepath.Join(m.Dir, "mnt"), 0o755); err != nil {
		t.Fatal(err)
	}
	bus := start(t, testtools.Tool(t, "dbus-daemon", "dbus-daemon"), nil, "--nofork", "--config-file="+filepath.Join(m.Dir, "bus.conf"))
	t.Cleanup(bus.stop)
	m.serve(t)
	t.Cleanup(func() { m.service.stop() })
	return m
}

// Open opens a rig of a machine.
func Open(t *testing.T, disk durable.Disk) *slottest.Rig {
	t.Helper()
	m := NewMachine(t)
	r := m.Rig(rauc.New(rauc.Config{Bus: m.Bus, Names: exectest.Names, Disk: disk}))
	r.Boot = m.Boot
	r.Slow = true
	r.Stranger = nil // RAUC is told which slot was booted when it is started
	return r
}

// Boot is one start of the machine, and of RAUC in it.
func (m *Machine) Boot(t *testing.T) slot.Name {
	t.Helper()
	n := m.Machine.Boot(t)
	if n != m.booted && n != slot.None {
		m.booted = n
		m.Restart(t)
	}
	return n
}

// Restart kills RAUC's service and starts it again.
func (m *Machine) Restart(t *testing.T) {
	t.Helper()
	m.service.stop()
	m.serve(t)
}

// Signal sends a signal to RAUC's service.
func (m *Machine) Signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := m.service.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

// serve starts RAUC's service and waits until it can be called.
func (m *Machine) serve(t *testing.T) {
	t.Helper()
	m.service = start(t, testtools.Tool(t, "rauc", "rauc"), []string{"DBUS_SYSTEM_BUS_ADDRESS=" + m.Bus},
		"--conf="+filepath.Join(m.Dir, "system.conf"), "--override-boot-slot="+exectest.Names.Of(m.booted), "service")
	for end := time.Now().Add(waiting); !m.serves(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("RAUC does not answer")
		}
	}
}

// serves tells whether the service is on the bus.
func (m *Machine) serves() bool {
	conn, err := dbus.Connect(m.Bus)
	if err != nil {
		return false
	}
	defer conn.Close()
	var owned bool
	err = conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
	return err == nil && owned
}

// process is a program that runs until it is stopped.
type process struct {
	cmd  *exec.Cmd
	stop func()
}

func start(t *testing.T, program string, env []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return &process{cmd, func() {
		cancel()
		<-ended
	}}
}

func (m *Machine) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.Dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
