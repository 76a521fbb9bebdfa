package efi

import (
	"context"
	"fmt"
	"slices"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Entry is what the boot entry of a slot starts.
type Entry struct {
	efivar.File
	// Options is the command line that the program is handed; empty to leave what the entry has, as with an image that has its own.
	Options string
}

// Config is a machine with UEFI firmware.
type Config struct {
	Vars  string // where efivarfs is mounted; empty for the usual place
	A, B  Entry
	Names slot.BootNames // the descriptions of entries that this program makes
	Host  host.Host
	Disk  durable.Disk
}

// Loader is the firmware's boot manager.
type Loader struct {
	Config
	vars efivar.Vars
}

// Tries is how often the firmware boots a slot on trial: it takes BootNext away first.
const Tries = 1

// New is the loader of a machine. It touches nothing.
func New(c Config) *Loader {
	if c.Vars == "" {
		c.Vars = efivar.Dir
	}
	return &Loader{Config: c, vars: efivar.Vars{Dir: c.Host.Path(c.Vars), Disk: c.Disk}}
}

var _ slot.Loader = (*Loader)(nil)

func (l *Loader) entry(n slot.Name) (Entry, error) {
	switch n {
	case slot.A:
		return l.A, nil
	case slot.B:
		return l.B, nil
	}
	return Entry{}, fmt.Errorf("there is no slot %s", n)
}

// slot is the slot that a boot entry is of.
func (l *Loader) slot(e *bootEntry) slot.Name {
	switch {
	case e == nil:
		return slot.None
	case e.file.Same(l.A.File):
		return slot.A
	case e.file.Same(l.B.File):
		return slot.B
	}
	return slot.None
}

// Running is the slot of the entry that the firmware says it has booted, in this boot of the firmware.
func (l *Loader) Running(context.Context) (slot.Name, error) {
	f, err := readFirmware(l.vars)
	if err != nil {
		return slot.None, err
	}
	return l.slot(f.number(f.current)), nil
}

// State is what the firmware's variables say, and the record.
func (l *Loader) State(_ context.Context, n slot.Name) (slot.State, error) {
	entry, err := l.entry(n)
	if err != nil {
		return slot.State{}, err
	}
	f, err := readFirmware(l.vars)
	if err != nil {
		return slot.State{}, err
	}
	r, err := l.readRecord()
	if err != nil {
		return slot.State{}, err
	}
	first := l.first(f)
	active := slices.ContainsFunc(f.of(entry.File), (*bootEntry).active)
	inOrder := slices.ContainsFunc(f.of(entry.File), func(e *bootEntry) bool { return e.active() && slices.Contains(f.order, e.number) })
	switch {
	case f.next != nil && l.slot(f.number(f.next)) == n && active:
		return slot.State{Verdict: slot.Trial, Left: Tries, First: true}, nil
	case first == n:
		return slot.State{Verdict: slot.Good, First: f.next == nil}, nil
	case !active || *r.of(n) == slot.Bad:
		return slot.State{Verdict: slot.Bad}, nil
	case *r.of(n) == slot.Trial:
		return slot.State{Verdict: slot.Trial}, nil
	case inOrder:
		return slot.State{Verdict: slot.Good}, nil
	}
	return slot.State{Verdict: slot.Bad}, nil
}

// first is the slot that BootOrder comes to first.
func (l *Loader) first(f *firmware) slot.Name {
	for i := range f.order {
		if e := f.number(&f.order[i]); e != nil && e.active() && l.slot(e) != slot.None {
			return l.slot(e)
		}
	}
	return slot.None
}
