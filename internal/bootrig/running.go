package bootrig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// Running is a machine that is switched on, seen by who stands beside it.
type Running struct {
	*Machine
	vm *VM
	// Say, if set, is told what is done and seen.
	Say func(format string, args ...any)
	// Patience bounds a program in the guest; 0 is what the rig's own guests need.
	Patience time.Duration
}

// verbTime bounds a verb in the guest, but for one that waits for a cluster.
const verbTime = 3 * time.Minute

func (r *Running) patience() time.Duration {
	if r.Patience > 0 {
		return r.Patience
	}
	if r.Cluster != nil {
		return clusterTime + verbTime
	}
	return verbTime
}

// program is sallyport, as the images have it.
const program = "/usr/local/bin/sallyport"

// Switch switches a machine on.
func (m *Machine) Switch(ctx context.Context) (*Running, error) {
	return m.Record(ctx, "")
}

// Record switches a machine on and records what is written to its disk, in a file; empty for nowhere.
func (m *Machine) Record(ctx context.Context, log string) (*Running, error) {
	vm, err := m.Start(ctx, log)
	if err != nil {
		return nil, err
	}
	return &Running{Machine: m, vm: vm}, nil
}

// Off takes the power away.
func (r *Running) Off() {
	r.vm.Cut()
}

// Console is the end of what the machine wrote to its console.
func (r *Running) Console() string { return tail(r.vm.Console) }

// tail is the end of a file.
func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(b), "\n")
	return strings.Join(lines[max(0, len(lines)-consoleLines):], "\n")
}

const consoleLines = 50

// Boots waits until userspace runs, and wants it to be that of a slot and a version. A slot of "" is one that no loader has named.
func (r *Running) Boots(slot, version string) error {
	up, err := r.vm.Up(bootTime)
	if err != nil {
		return fmt.Errorf("waiting for %s in slot %s: %w", version, slot, err)
	}
	r.say("boots slot %s, %s, kernel and userspace in %.1f s", up.Slot, up.Version, up.Seconds)
	if up.Slot != slot && slot != "" || up.Version != version {
		return fmt.Errorf("slot %s boots with %s, want slot %s with %s", up.Slot, up.Version, slot, version)
	}
	return nil
}

// Run runs a program in the guest.
func (r *Running) Run(argv ...string) (wire.Answer, error) {
	return r.vm.Do(r.patience(), wire.Request{Run: argv})
}

// Do asks the guest for anything else.
func (r *Running) Do(q wire.Request) error {
	a, err := r.vm.Do(r.patience(), q)
	if err == nil && a.Exit != 0 {
		err = errors.New(a.Err)
	}
	return err
}

// Result is what of a verb's result the rig looks at.
type Result struct {
	Result string
	Phase  string
	Error  *struct {
		Code            int
		Reason, Message string
	}
}

// Sallyport runs a verb in the guest and wants an exit status of it.
func (r *Running) Sallyport(exit int, args ...string) (Result, error) {
	argv := append([]string{program}, args...)
	a, err := r.Run(append(argv, "--json", "--progress", "none")...)
	if err != nil {
		return Result{}, fmt.Errorf("sallyport %s: %w", strings.Join(args, " "), err)
	}
	return r.judge(exit, a, "sallyport "+strings.Join(args, " "))
}

// judge reads a verb's result.
func (r *Running) judge(exit int, a wire.Answer, what string) (res Result, err error) {
	r.say("%s: exit %d", what, a.Exit)
	if err := json.Unmarshal([]byte(a.Out), &res); err != nil {
		return res, fmt.Errorf("%s prints no JSON: %w: %s%s", what, err, a.Out, a.Err)
	}
	if a.Exit != exit {
		return res, fmt.Errorf("%s: exit %d, want %d: %s%s", what, a.Exit, exit, a.Out, a.Err)
	}
	return res, nil
}

// Confirms waits for the end of the sallyport confirm that the image runs by itself, and wants an exit status of it.
func (r *Running) Confirms(exit int) (Result, error) {
	for end := time.Now().Add(r.patience()); ; {
		e, err := r.vm.Confirmed(time.Until(end))
		switch {
		case err != nil:
			return Result{}, fmt.Errorf("waiting for a verdict: %w", err)
		case e.Up != nil:
			return Result{}, fmt.Errorf("slot %s was booted with %s before there was a verdict", e.Up.Slot, e.Up.Version)
		case e.Confirm.Exit == 7 || e.Confirm.Exit == 1 && r.Cluster != nil: // asked again
		default:
			return r.judge(exit, *e.Confirm, "sallyport confirm")
		}
	}
}

// settles waits for the end of the image's own sallyport confirm, whatever it says: it holds the site meanwhile.
func settles(r *Running) error {
	_, err := r.vm.Confirmed(verbTime)
	return err
}

// Status is what of sallyport status --json the rig looks at.
type Status struct {
	Phase             string
	Current, Previous *struct{ Version, Slot, Boot string }
	LastAttempted     *struct{ Version, Result, Reason string }
	NeedsPerson       bool
	Person            string
	Boot              *BootStatus
}

// BootStatus is what the boot loader is said to do.
type BootStatus struct {
	Running string
	A, B    *struct {
		Verdict string
		Left    int
		First   bool
	}
	RebootDue bool
	Problem   string
}

// Status asks for it.
func (r *Running) Status() (s Status, err error) {
	a, err := r.Run(program, "status", "--json")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(a.Out), &s); err != nil {
		return s, fmt.Errorf("status: %w: %s%s", err, a.Out, a.Err)
	}
	return s, nil
}

// Want is what a machine has to be like.
type Want struct {
	Phase   string
	Current string // the version
	Slot    string // the boot slot
	Result  string // of the last attempt
	Reason  string // a part of that of the last attempt
	Person  bool   // whether one is needed
}

// Is wants the machine's status, and the manifests on it, to be so.
func (r *Running) Is(w Want) error {
	s, err := r.Status()
	if err != nil {
		return err
	}
	var wrong []string
	miss := func(what string, got, want any) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	miss("the phase", s.Phase, w.Phase)
	miss("whether a person is needed", s.NeedsPerson, w.Person)
	if s.Current == nil {
		return fmt.Errorf("no release is current: %+v", s)
	}
	miss("the current release", s.Current.Version, w.Current)
	if s.Boot == nil || s.Boot.Problem != "" && !w.Person {
		return fmt.Errorf("the boot loader: %+v", s.Boot)
	}
	miss("the boot slot", s.Boot.Running, strings.ToLower(w.Slot))
	if last := s.LastAttempted; w.Result != "" && last != nil {
		miss("the last attempt", last.Result, w.Result)
		if !strings.Contains(last.Reason, w.Reason) {
			wrong = append(wrong, fmt.Sprintf("the reason is %q, want %q", last.Reason, w.Reason))
		}
	}
	version, err := r.manifest()
	if err != nil {
		return err
	}
	miss("the manifest", version, w.Current)
	if len(wrong) > 0 {
		return fmt.Errorf("%s (person: %s)", strings.Join(wrong, "; "), s.Person)
	}
	r.say("status: %s, %s in slot %s", s.Phase, s.Current.Version, s.Boot.Running)
	return nil
}

// manifest is the version that the manifests on the machine bear.
func (r *Running) manifest() (string, error) {
	a, err := r.Run("/usr/local/bin/rig-manifest")
	return strings.TrimSpace(a.Out), err
}

// Reboot boots the machine again in good order.
func (r *Running) Reboot() error { return r.vm.Ask(wire.Request{Reboot: true}) }

// PowerOff switches the machine off in good order.
func (r *Running) PowerOff() error {
	r.vm.Last()
	if err := r.vm.Ask(wire.Request{PowerOff: true}); err != nil {
		return err
	}
	for {
		if _, err := r.vm.Next(bootTime); errors.Is(err, errOff) {
			return nil
		} else if err != nil {
			r.Off()
			return err
		}
	}
}

func (r *Running) say(format string, args ...any) {
	if r.Say != nil {
		r.Say(format, args...)
	}
}
