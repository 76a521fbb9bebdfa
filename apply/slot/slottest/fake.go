package slottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Fake is a boot loader for tests, as simple as one can be that keeps every promise: a file of a few lines, and what lies below
// the same folder as the machine that it boots.
type Fake struct {
	host  host.Host
	disk  durable.Disk
	tries int
}

// fakeTries is how often the fake boots a trial.
const fakeTries = 3

// fakeNames are the fake's names of the slots.
var fakeNames = slot.BootNames{A: "A", B: "B"}

const fakeMark = "4711"

// fakeEnv is the content of the file: the slots in the order of booting, and what each is.
type fakeEnv struct {
	order   []string
	verdict map[string]slot.Verdict
	left    map[string]int
	rest    string // what is not ours
}

func (f *Fake) path() string { return f.host.Path("/boot/slots") }

// read parses the file.
func (f *Fake) read() (*fakeEnv, error) {
	b, err := os.ReadFile(f.path())
	if err != nil {
		return nil, err
	}
	return parseFake(b)
}

func parseFake(b []byte) (*fakeEnv, error) {
	e := &fakeEnv{verdict: map[string]slot.Verdict{}, left: map[string]int{}}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 3 && words[0] == "order":
			e.order = words[1:]
		case len(words) == 3 && fakeNames.Slot(words[0]) != slot.None:
			var left int
			if _, err := fmt.Sscan(words[2], &left); err != nil {
				return nil, err
			}
			e.verdict[words[0]], e.left[words[0]] = slot.Verdict(words[1]), left
		default:
			e.rest += line
		}
	}
	if len(e.order) != 2 {
		return nil, errors.New("no order of the slots")
	}
	return e, nil
}

func (e *fakeEnv) marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "order %s\n", strings.Join(e.order, " "))
	for _, name := range []string{fakeNames.A, fakeNames.B} {
		fmt.Fprintf(&b, "%s %s %d\n", name, e.verdict[name], e.left[name])
	}
	return append(b.Bytes(), e.rest...)
}

// next is the slot that is booted next; empty if there is none.
func (e *fakeEnv) next() string {
	for _, name := range e.order {
		if v := e.verdict[name]; v == slot.Good || v == slot.Trial && e.left[name] > 0 {
			return name
		}
	}
	return ""
}

// Running is the slot that the command line tells.
func (f *Fake) Running(context.Context) (slot.Name, error) {
	v, found, err := f.host.Param(host.SlotParam)
	if err == nil && !found {
		err = &slot.UnreadyError{Text: "the command line tells no slot", Advice: "install its script"}
	}
	return fakeNames.Slot(v), err
}

// Ready wants the mark of the file on the command line.
func (f *Fake) Ready(context.Context) error {
	if v, _, err := f.host.Param(host.EnvParam); err != nil || v != fakeMark {
		return &slot.UnreadyError{Text: "the command line does not tell that the fake loader has run", Advice: "install its script", Err: err}
	}
	return nil
}

// State tells what the file says.
func (f *Fake) State(_ context.Context, n slot.Name) (slot.State, error) {
	e, err := f.read()
	if err != nil {
		return slot.State{}, err
	}
	name := fakeNames.Of(n)
	s := slot.State{Verdict: e.verdict[name], First: e.next() == name}
	if s.Verdict == slot.Trial {
		s.Left = e.left[name]
	}
	return s, nil
}

// change rewrites the file.
func (f *Fake) change(n slot.Name, edit func(e *fakeEnv, name, other string) error) error {
	name := fakeNames.Of(n)
	if name == "" {
		return fmt.Errorf("there is no slot %s", n)
	}
	e, err := f.read()
	if err != nil {
		return err
	}
	if err := edit(e, name, fakeNames.Of(n.Other())); err != nil {
		return err
	}
	if _, err := os.Stat(f.path() + ".away"); err == nil {
		return &slot.UnreadyError{Text: f.path() + " cannot be written", Advice: "mount it for writing"}
	}
	return f.disk.WriteFile(f.path(), e.marshal(), 0o600)
}

// Arm puts a slot on trial, first in the order.
func (f *Fake) Arm(ctx context.Context, n slot.Name) (bool, error) {
	running, err := f.Running(ctx)
	if err != nil {
		return false, err
	}
	return true, f.change(n, func(e *fakeEnv, name, other string) error {
		if v := e.verdict[fakeNames.Of(running)]; v != slot.Good || running == n {
			return &slot.UnreadyError{Text: fmt.Sprintf("slot %s runs and is %s", running, v), Advice: "confirm it first"}
		}
		e.order, e.verdict[name], e.left[name] = []string{name, other}, slot.Trial, f.tries
		return nil
	})
}

// Commit makes the running slot good and first.
func (f *Fake) Commit(ctx context.Context, n slot.Name) error {
	running, err := f.Running(ctx)
	if err != nil {
		return err
	}
	if running != n {
		return fmt.Errorf("cannot commit slot %s: slot %s runs", n, running)
	}
	return f.change(n, func(e *fakeEnv, name, other string) error {
		e.order, e.verdict[name], e.left[name] = []string{name, other}, slot.Good, 0
		return nil
	})
}

// Disarm marks a slot bad and puts it last, if the other one is good.
func (f *Fake) Disarm(_ context.Context, n slot.Name) error {
	return f.change(n, func(e *fakeEnv, name, other string) error {
		if e.verdict[other] != slot.Good {
			return &slot.UnreadyError{Text: fmt.Sprintf("slot %s is %s", n.Other(), e.verdict[other]), Advice: "confirm it first"}
		}
		e.order, e.verdict[name], e.left[name] = []string{other, name}, slot.Bad, 0
		return nil
	})
}
