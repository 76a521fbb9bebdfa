package grub

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// DefaultEnv is where Debian's GRUB has its environment block.
const DefaultEnv = "/boot/grub/grubenv"

// The dialects.
const (
	Plain = ""     // the variables of sallyport.cfg
	RAUC  = "rauc" // those of RAUC's script
)

// raucParam is the parameter by which RAUC's script tells the slot.
const raucParam = "rauc.slot"

// Config is what a loader has to know.
type Config struct {
	Env     string // the file of the environment block; empty is DefaultEnv
	Dialect string // Plain or RAUC
	Names   slot.BootNames
	Tries   int // how many times a slot on trial is booted; 0 is slot.DefaultTries
	Host    host.Host
	Disk    durable.Disk
}

var nameSyntax = regexp.MustCompile(`^[A-Za-z0-9_]{1,16}$`)

// ValidName tells whether GRUB can have a variable of that slot.
func ValidName(name string) error {
	if !nameSyntax.MatchString(name) {
		return fmt.Errorf("%q cannot be the name of a slot in GRUB: use letters, digits and _, at most 16", name)
	}
	return nil
}

// Loader is GRUB, seen from the machine that it has booted.
type Loader struct {
	env     string
	dialect dialect
	rauc    bool
	names   slot.BootNames
	tries   int
	host    host.Host
	disk    durable.Disk
}

// New makes the loader; it looks at nothing yet.
func New(c Config) (*Loader, error) {
	for _, name := range []string{c.Names.A, c.Names.B} {
		if err := ValidName(name); err != nil {
			return nil, err
		}
	}
	l := &Loader{env: c.Env, dialect: plain{}, names: c.Names, tries: c.Tries, host: c.Host, disk: c.Disk}
	switch c.Dialect {
	case Plain:
	case RAUC:
		l.dialect, l.rauc = raucDialect{}, true
	default:
		return nil, fmt.Errorf("GRUB has no dialect %q", c.Dialect)
	}
	if l.env == "" {
		l.env = DefaultEnv
	}
	if l.tries <= 0 {
		l.tries = slot.DefaultTries
	}
	l.tries = l.dialect.tries(l.tries)
	return l, nil
}

func (l *Loader) list() []string { return []string{l.names.A, l.names.B} }

// other is the loader's name of the slot that n is not.
func (l *Loader) other(n slot.Name) string {
	if n == slot.A {
		return l.names.B
	}
	return l.names.A
}

// named is the loader's name of a slot.
func (l *Loader) named(n slot.Name) (string, error) {
	name := l.names.Of(n)
	if name == "" {
		return "", errors.New("GRUB can boot slot a or b, not none")
	}
	return name, nil
}

// Running is the slot that the kernel's command line names.
func (l *Loader) Running(context.Context) (slot.Name, error) {
	name, found, err := l.host.Param(host.SlotParam)
	if err == nil && !found && l.rauc {
		name, found, err = l.host.Param(raucParam)
	}
	switch n := l.names.Slot(name); {
	case err != nil:
		return slot.None, err
	case !found || name == "":
		return slot.None, &slot.UnreadyError{Text: "the kernel's command line does not tell which slot GRUB has booted: it has no " + host.SlotParam,
			Advice: l.setUp()}
	case n == slot.None:
		return slot.None, &slot.UnreadyError{Text: fmt.Sprintf("GRUB has booted slot %q, which is neither %s nor %s", clip(name), l.names.A, l.names.B),
			Advice: "write the names that GRUB has for the slots into spec.slots.a.boot and spec.slots.b.boot of site.yaml"}
	default:
		return n, nil
	}
}

// State is what GRUB will do with the slot.
func (l *Loader) State(_ context.Context, n slot.Name) (slot.State, error) {
	name, err := l.named(n)
	if err != nil {
		return slot.State{}, err
	}
	_, t, err := l.read()
	if err != nil {
		return slot.State{}, err
	}
	s := t.state[name]
	s.First = t.next() == name
	return s, nil
}

// Ready tells why a slot could not be armed here.
func (l *Loader) Ready(ctx context.Context) error {
	b, t, err := l.read()
	if err != nil {
		return err
	}
	if _, err := l.render(b, t); err != nil {
		return err
	}
	if err := l.checkPlace(); err != nil {
		return err
	}
	if err := l.checkMark(t); err != nil {
		return err
	}
	n, err := l.Running(ctx)
	if err != nil {
		return err
	}
	return l.wantGood(t, l.names.Of(n))
}

// checkMark wants GRUB to have read the very block in this boot.
func (l *Loader) checkMark(t *table) error {
	seen, found, err := l.host.Param(host.EnvParam)
	switch {
	case err != nil:
		return err
	case t.mark == "":
		return &slot.UnreadyError{Text: l.env + " has no mark by which to know that GRUB reads it", Advice: l.setUp()}
	case found && seen == "":
		return &slot.UnreadyError{Text: "GRUB found no mark in its environment block when it booted: it read another one than " + l.env + ", or one that was empty",
			Advice: "boot again; if it stays so, name the block that GRUB reads in spec.slots.grub.env of site.yaml"}
	case !found:
		return &slot.UnreadyError{Text: fmt.Sprintf("sallyport's part of GRUB's configuration did not run in this boot: the kernel's command line has no %s", host.EnvParam),
			Advice: l.setUp()}
	case seen != t.mark:
		return &slot.UnreadyError{Text: fmt.Sprintf("GRUB has read another environment block than %s: it saw the mark %s, not %s", l.env, clip(seen), t.mark),
			Advice: "name the block that GRUB reads in spec.slots.grub.env of site.yaml: grubenv in the folder of the grub.cfg that it runs"}
	}
	return nil
}

// setUp is what to do where GRUB has not been set up for us.
func (l *Loader) setUp() string {
	if l.rauc {
		return fmt.Sprintf("put %s=NAME %s=$%s behind the kernel in GRUB's configuration, run sallyport site init --boot grub, and boot again", host.SlotParam, host.EnvParam, markVar)
	}
	return "run sallyport site init --boot grub, then update-grub, and boot again"
}

// wantGood wants the slot to be one that GRUB boots as often as is needed.
func (l *Loader) wantGood(t *table, name string) error {
	s := t.state[name]
	if s.Verdict == slot.Good {
		return nil
	}
	advice := "run sallyport confirm, so that the slot that runs is marked good"
	if l.rauc {
		advice = "mark it good once the machine is well (rauc status mark-good, or its service rauc-mark-good); then try again"
	}
	return &slot.UnreadyError{Text: fmt.Sprintf("slot %s would be left to fall back to, and GRUB holds it for %s", name, s.Verdict), Advice: advice}
}

// Disarm makes GRUB pass over the slot, and boot the other one.
func (l *Loader) Disarm(_ context.Context, n slot.Name) error {
	name, err := l.named(n)
	if err != nil {
		return err
	}
	b, t, err := l.read()
	if err != nil {
		return err
	}
	other := l.other(n)
	s, ok := l.dialect.alone(t, other)
	if !ok {
		return l.wantGood(t, other)
	}
	t.state[other] = s
	t.state[name] = slot.State{Verdict: slot.Bad}
	t.first(other)
	data, err := l.render(b, t)
	if err != nil {
		return err
	}
	if err := l.checkPlace(); err != nil {
		return err
	}
	if err := l.write(data); err != nil {
		return &slot.UnreadyError{Text: "the state of the slots cannot be written to " + l.env, Err: err,
			Advice: "see to it that the file system of that file is mounted for writing and sound; then try again"}
	}
	return nil
}

// Arm makes GRUB try the slot at the next boot.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (bool, error) {
	name, err := l.named(n)
	if err != nil {
		return false, err
	}
	switch running, err := l.Running(ctx); {
	case err != nil:
		return false, err
	case running == n:
		return false, fmt.Errorf("cannot arm slot %s: it is the one that runs", name)
	}
	b, t, err := l.read()
	if err != nil {
		return false, err
	}
	if err := l.wantGood(t, l.other(n)); err != nil {
		return false, err
	}
	t.state[name] = slot.State{Verdict: slot.Trial, Left: l.tries}
	t.first(name)
	return true, l.replace(b, t)
}

// Commit makes the slot good and the first one.
func (l *Loader) Commit(ctx context.Context, n slot.Name) error {
	name, err := l.named(n)
	if err != nil {
		return err
	}
	switch running, err := l.Running(ctx); {
	case err != nil:
		return err
	case running != n:
		return fmt.Errorf("cannot commit slot %s: slot %s runs", name, l.names.Of(running))
	}
	b, t, err := l.read()
	if err != nil {
		return err
	}
	t.state[name] = slot.State{Verdict: slot.Good}
	t.first(name)
	return l.replace(b, t)
}
