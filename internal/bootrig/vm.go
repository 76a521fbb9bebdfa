package bootrig

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// Memory is what a machine gets, in MiB.
const Memory = 384

// VM is a machine that runs. A reboot ends QEMU, and another one is started with the same disks: what is left in memory and in
// the devices is gone, as it is after a power cycle, unless Machine.Keeps says otherwise.
type VM struct {
	events chan wire.Event
	done   chan struct{} // closed once the machine is off for good
	fault  error         // why it went off by itself
	// Console is the file that the kernel and the loader write to.
	Console string

	mu    sync.Mutex
	cmd   *exec.Cmd
	stdin io.WriteCloser
	off   bool // no reboot any more
}

// Start boots a machine. args are QEMU's arguments for its disks and firmware; boot counts from 0.
func Start(ctx context.Context, console string, args func(boot int) []string) (*VM, error) {
	qemu, err := find("qemu-system-x86_64")
	if err != nil {
		return nil, err
	}
	vm := &VM{events: make(chan wire.Event, 64), done: make(chan struct{}), Console: console}
	base := []string{qemu, "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-cpu", "max", "-m", fmt.Sprint(Memory),
		"-chardev", "file,id=console,append=on,path=" + console, "-serial", "chardev:console",
		"-chardev", "stdio,id=rig,signal=off", "-serial", "chardev:rig"}
	stdout, err := vm.boot(ctx, slices.Concat(base, args(0)))
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(vm.done)
		for n := 1; err == nil; n++ {
			vm.listen(stdout)
			// A guest that switches its machine off, or is cut off, is no error of QEMU's.
			var end *exec.ExitError
			if errors.As(vm.cmd.Wait(), &end) && end.ExitCode() > 0 {
				vm.fault = fmt.Errorf("QEMU ends with %d: %s", end.ExitCode(), tail(vm.Console+".qemu"))
				return
			}
			stdout, err = vm.boot(ctx, slices.Concat(base, args(n)))
		}
	}()
	return vm, nil
}

var errOff = errors.New("the machine is off")

// boot starts QEMU, unless the machine is to stay off.
func (vm *VM) boot(ctx context.Context, argv []string) (io.Reader, error) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	if vm.off {
		return nil, errOff
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// A test that is killed takes its machines along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(vm.Console+".qemu", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
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
	vm.cmd, vm.stdin = cmd, stdin
	return stdout, cmd.Start()
}

// maxLine bounds what a guest says at once.
const maxLine = 4 << 20

// listen passes on what the guest says. The firmware and a loader may write to its line, too: that is passed over.
func (vm *VM) listen(r io.Reader) {
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
		return wire.Event{}, cmp.Or(vm.fault, errOff)
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
	vm.mu.Lock()
	defer vm.mu.Unlock()
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

// Last makes the next end of QEMU the machine's: it does not boot again.
func (vm *VM) Last() {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	vm.off = true
}

// Cycle takes the power away, and gives it back.
func (vm *VM) Cycle() {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	_ = vm.cmd.Process.Kill()
}

// Cut takes the power away. What the guest has written stands in the disk's file; what a disk would have lost of it is the
// replay's matter.
func (vm *VM) Cut() {
	vm.Last()
	_ = vm.cmd.Process.Kill()
	for {
		select {
		case <-vm.events:
		case <-vm.done:
			return
		}
	}
}
