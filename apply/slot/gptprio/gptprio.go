package gptprio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Config says which disk it is, and which of its partitions are the slots.
type Config struct {
	// Device is the whole disk: a block device, or a file that is one.
	Device string
	// Names are the labels of the slots' partitions, or their numbers.
	Names slot.BootNames
	// Tries is how often a slot is tried; 0 is slot.DefaultTries.
	Tries int
	Host  host.Host
	Disk  durable.Disk
}

// Loader is a boot loader that reads priorities from a GPT.
type Loader struct{ cfg Config }

// New makes the loader. It reads nothing yet.
func New(cfg Config) (*Loader, error) {
	if cfg.Tries == 0 {
		cfg.Tries = slot.DefaultTries
	}
	if cfg.Tries < 1 || cfg.Tries > maxTries {
		return nil, fmt.Errorf("%d tries are not 1 to %d", cfg.Tries, maxTries)
	}
	if cfg.Device == "" {
		return nil, errors.New("no disk is given")
	}
	return &Loader{cfg}, nil
}

// State tells what the loader will do with a slot.
func (l *Loader) State(_ context.Context, n slot.Name) (slot.State, error) {
	if l.cfg.Names.Of(n) == "" {
		return slot.State{}, fmt.Errorf("the GPT has no slot %s", n)
	}
	_, p, err := l.load()
	if err != nil {
		return slot.State{}, err
	}
	return p.state(n), nil
}

// Disarm makes the loader pass over a slot, if the other one is good.
func (l *Loader) Disarm(_ context.Context, n slot.Name) error {
	return l.change(n, func(p pair) error {
		if state := p.state(n.Other()); state.Verdict != slot.Good {
			return fmt.Errorf("cannot disarm slot %s: slot %s is not good (%s), so that none would be left to boot", n, n.Other(), state.Verdict)
		}
		p.of(n).set(0, 0, false)
		return nil
	})
}

// Arm puts a slot on trial.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (reboot bool, err error) {
	running, err := l.Running(ctx)
	if err != nil {
		return false, err
	}
	err = l.change(n, func(p pair) error {
		if state := p.state(running); state.Verdict != slot.Good {
			return fmt.Errorf("cannot arm slot %s: slot %s runs and is not good (%s), so that there is none to fall back to", n, running, state.Verdict)
		}
		return p.lead(n, l.cfg.Tries, false)
	})
	return err == nil, err
}

// Commit makes the running slot successful and the first.
func (l *Loader) Commit(ctx context.Context, n slot.Name) error {
	running, err := l.Running(ctx)
	if err != nil {
		return err
	}
	if running != n {
		return fmt.Errorf("cannot commit slot %s: slot %s runs", n, running)
	}
	return l.change(n, func(p pair) error { return p.lead(n, 0, true) })
}

// change is one transaction on the GPT.
func (l *Loader) change(n slot.Name, how func(p pair) error) error {
	if l.cfg.Names.Of(n) == "" {
		return fmt.Errorf("the GPT has no slot %s", n)
	}
	g, p, err := l.load()
	if err != nil {
		return err
	}
	if err := g.mendable(); err != nil {
		return l.unready(err)
	}
	if err := how(p); err != nil {
		return err
	}
	if err := l.write(g); err != nil {
		return l.unready(err)
	}
	return nil
}

// write puts both copies on the disk, one after the other, and reads them back.
func (l *Loader) write(g *gpt) error {
	if err := l.cfg.Host.Writable(l.cfg.Device); err != nil {
		return err
	}
	for _, w := range g.writes() {
		if err := l.cfg.Disk.Overwrite(l.cfg.Host.Path(l.cfg.Device), w.data, w.off); err != nil {
			return err
		}
	}
	now, err := l.read()
	if err != nil {
		return err
	}
	if !bytes.Equal(now.first.array, g.array) || !bytes.Equal(now.second.array, g.array) || now.first.err() != nil || now.second.err() != nil {
		return errors.New("what was written does not read back")
	}
	return nil
}

func (l *Loader) read() (*gpt, error) {
	f, err := l.cfg.Host.OpenFresh(l.cfg.Device)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	g, err := parse(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.cfg.Device, err)
	}
	return g, nil
}

// load reads the GPT and finds the slots in it.
func (l *Loader) load() (*gpt, pair, error) {
	g, err := l.read()
	if err != nil {
		return nil, pair{}, l.unready(err)
	}
	p, err := g.table.pair(l.cfg.Names)
	if err != nil {
		return nil, pair{}, &slot.UnreadyError{Text: l.cfg.Device, Err: err,
			Advice: "name the slots in site.yaml by the labels of their partitions; cgpt show DISK lists them"}
	}
	return g, p, nil
}
