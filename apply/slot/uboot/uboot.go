package uboot

import (
	"context"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// DefaultConfig is where Debian has fw_printenv's configuration.
const DefaultConfig = "/etc/fw_env.config"

// Config says where the environment is, and what its slots are called.
type Config struct {
	// Path is fw_env.config; empty is DefaultConfig.
	Path string
	// Single allows an environment of which there is one copy: a power cut while it is written loses it.
	Single bool
	Names  slot.BootNames
	// Tries is how often a slot is tried; 0 is slot.DefaultTries.
	Tries int
	Host  host.Host
	Disk  durable.Disk
}

// Loader is U-Boot as a boot loader of two slots.
type Loader struct{ cfg Config }

// New makes the loader. It reads nothing yet.
func New(cfg Config) (*Loader, error) {
	if cfg.Path == "" {
		cfg.Path = DefaultConfig
	}
	if cfg.Tries == 0 {
		cfg.Tries = slot.DefaultTries
	}
	if cfg.Tries < 1 || cfg.Tries > maxLeft {
		return nil, fmt.Errorf("%d tries are not 1 to %d", cfg.Tries, maxLeft)
	}
	for _, name := range []string{cfg.Names.A, cfg.Names.B} {
		if err := ValidName(name); err != nil {
			return nil, err
		}
	}
	return &Loader{cfg}, nil
}

// ValidName tells whether a slot can be called so: the name becomes part of a variable's.
func ValidName(name string) error {
	if !nameSyntax.MatchString(name) || verdictVar(name) == markVar {
		return fmt.Errorf("%q cannot be part of a variable of U-Boot's: use letters, digits and underscores, as in A", name)
	}
	return nil
}

// Running is the slot that our script has put on the kernel's command line.
func (l *Loader) Running(context.Context) (slot.Name, error) {
	name, found, err := l.cfg.Host.Param(host.SlotParam)
	if err != nil {
		return slot.None, err
	}
	running := l.cfg.Names.Slot(name)
	if !found || running == slot.None {
		return slot.None, l.strange(name, found)
	}
	return running, nil
}

// State tells what the script will do with a slot.
func (l *Loader) State(ctx context.Context, n slot.Name) (slot.State, error) {
	boot, err := l.boot(n)
	if err != nil {
		return slot.State{}, err
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return slot.State{}, l.unready(err)
	}
	defer unlock()
	_, t, err := l.load()
	if err != nil {
		return slot.State{}, err
	}
	return t.slots[boot], nil
}

// Disarm makes the script pass over a slot, if the other one is good.
func (l *Loader) Disarm(ctx context.Context, n slot.Name) error {
	return l.change(ctx, n, func(t table, e env, boot string) (env, error) {
		if other := n.Other(); t.slots[l.cfg.Names.Of(other)].Verdict != slot.Good {
			return nil, fmt.Errorf("cannot disarm slot %s: slot %s is not good (%s), so that none would be left to boot",
				n, other, t.slots[l.cfg.Names.Of(other)].Verdict)
		}
		return t.disarm(e, boot), nil
	})
}

// Arm puts a slot on trial.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (reboot bool, err error) {
	running, err := l.Running(ctx)
	if err != nil {
		return false, err
	}
	err = l.change(ctx, n, func(t table, e env, boot string) (env, error) {
		if now := l.cfg.Names.Of(running); t.slots[now].Verdict != slot.Good {
			return nil, fmt.Errorf("cannot arm slot %s: slot %s runs and is not good (%s=%s), so that there is none to fall back to",
				n, running, verdictVar(now), t.slots[now].Verdict)
		}
		return t.arm(e, boot, l.cfg.Tries), nil
	})
	return err == nil, err
}

// Commit makes the running slot good and the first.
func (l *Loader) Commit(ctx context.Context, n slot.Name) error {
	running, err := l.Running(ctx)
	if err != nil {
		return err
	}
	if running != n {
		return fmt.Errorf("cannot commit slot %s: slot %s runs", n, running)
	}
	return l.change(ctx, n, func(t table, e env, boot string) (env, error) { return t.commit(e, boot, l.cfg.Tries), nil })
}

func (l *Loader) boot(n slot.Name) (string, error) {
	if boot := l.cfg.Names.Of(n); boot != "" {
		return boot, nil
	}
	return "", fmt.Errorf("U-Boot has no slot %s", n)
}

// change is one transaction on the environment.
func (l *Loader) change(ctx context.Context, n slot.Name, how func(t table, e env, boot string) (env, error)) error {
	boot, err := l.boot(n)
	if err != nil {
		return err
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return l.unready(err)
	}
	defer unlock()
	s, t, err := l.load()
	if err != nil {
		return err
	}
	e, err := how(t, s.env, boot)
	if err != nil {
		return err
	}
	if err := s.save(e); err != nil {
		return l.unready(err)
	}
	return nil
}

// load reads the environment and what it says of the slots.
func (l *Loader) load() (*store, table, error) {
	s, err := openStore(l.cfg)
	if err != nil {
		return nil, table{}, l.unready(err)
	}
	t, err := readTable(s.env, l.cfg.Names.A, l.cfg.Names.B)
	if err != nil {
		return nil, table{}, &slot.UnreadyError{Text: "U-Boot's environment is not as the boot script reads it", Err: err,
			Advice: "mend the variable with fw_setenv; docs/bootloaders.md, chapter U-Boot, lists them all"}
	}
	return s, t, nil
}
