package bootrig

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// Memory is what a machine gets, in MiB.
const Memory = 384

// VM is a machine that runs.
type VM struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan wire.Event
	done   chan struct{}
	stop   sync.Once
	// Console is the file that the kernel and the loader write to.
	Console string
}

// Start boots a machine: its disks, and what of QEMU's arguments its firmware needs.
func Start(ctx context.Context, console string, args ...string) (*VM, error) {
	qemu, err := find("qemu-system-x86_64")
	if err != nil {
		return nil, err
	}
	base := []string{"-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-cpu", "max", "-m", fmt.Sprint(Memory),
		"-chardev", "file,id=console,append=on,path=" + console, "-serial", "chardev:console",
		"-chardev", "stdio,id=rig,signal=off", "-serial", "chardev:rig"}
	cmd := exec.CommandContext(ctx, qemu, append(base, args...)...)
	// A test that is killed takes its machines along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(console+".qemu", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	vm := &VM{cmd: cmd, stdin: stdin, events: make(chan wire.Event, 64), done: make(chan struct{}), Console: console}
	go vm.listen(stdout)
	return vm, nil
}

// maxLine bounds what a guest says at once.
const maxLine = 4 << 20

// listen passes on what the guest says. The firmware and a loader may write to its line, too: that is passed over.
func (vm *VM) listen(r io.Reader) {
	defer close(vm.done)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e wire.Event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			vm.events <- e
		}
	}
}

// ErrSilent is a guest that did not say what was waited for in time.
var ErrSilent = errors.New("the guest says nothing")

// Next waits for what the guest says next.
func (vm *VM) Next(timeout time.Duration) (wire.Event, error) {
	select {
	case e := <-vm.events:
		return e, nil
	case <-vm.done:
		return wire.Event{}, errors.New("the machine is off")
	case <-time.After(timeout):
		return wire.Event{}, fmt.Errorf("%w for %v", ErrSilent, timeout)
	}
}

// Up waits until userspace runs, in whichever slot.
func (vm *VM) Up(timeout time.Duration) (wire.Up, error) {
	for end := time.Now().Add(timeout); ; {
		e, err := vm.Next(time.Until(end))
		if err != nil {
			return wire.Up{}, err
		}
		if e.Up != nil {
			return *e.Up, nil
		}
	}
}

// Confirmed waits for the end of a sallyport confirm that the guest ran by itself, or for the next boot, whichever is first.
func (vm *VM) Confirmed(timeout time.Duration) (wire.Event, error) {
	for end := time.Now().Add(timeout); ; {
		e, err := vm.Next(time.Until(end))
		if err != nil || e.Confirm != nil || e.Up != nil {
			return e, err
		}
	}
}

// Ask asks the guest for something and does not wait.
func (vm *VM) Ask(r wire.Request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = vm.stdin.Write(append(b, '\n'))
	return err
}

// Do asks the guest for something and waits for its answer. A confirm that ends meanwhile is dropped.
func (vm *VM) Do(timeout time.Duration, r wire.Request) (wire.Answer, error) {
	if err := vm.Ask(r); err != nil {
		return wire.Answer{}, err
	}
	for end := time.Now().Add(timeout); ; {
		e, err := vm.Next(time.Until(end))
		switch {
		case err != nil:
			return wire.Answer{}, err
		case e.Answer != nil:
			return *e.Answer, nil
		case e.Up != nil:
			return wire.Answer{}, fmt.Errorf("the guest was booted again, into slot %s", e.Up.Slot)
		}
	}
}

// Cut takes the power away. What the guest has written stands in the disk's file; what a disk would have lost of it is the
// replay's matter.
func (vm *VM) Cut() {
	vm.stop.Do(func() {
		_ = vm.cmd.Process.Kill()
		for {
			select {
			case <-vm.events:
			case <-vm.done:
				_ = vm.cmd.Wait()
				return
			}
		}
	})
}
