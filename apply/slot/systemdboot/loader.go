package systemdboot

import (
	"context"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// DefaultESP is where the ESP is mounted unless the site says otherwise.
const DefaultESP = "/efi"

// Config is a machine that systemd-boot boots.
type Config struct {
	ESP string // where the EFI system partition is mounted
	// Extended is where the extended boot loader partition is mounted; empty if there is none. Entries may be on either.
	Extended string
	Names    slot.BootNames // the names of the entries' files, without counter and extension
	Tries    int
	Host     host.Host
	Disk     durable.Disk
}

// Loader is systemd-boot.
type Loader struct {
	Config
	vars efivar.Vars
}

// New is the loader of a machine. It touches nothing.
func New(c Config) *Loader {
	if c.Tries == 0 {
		c.Tries = slot.DefaultTries
	}
	return &Loader{Config: c, vars: efivar.Vars{Dir: c.Host.Path(efivar.Dir)}}
}

var _ slot.Loader = (*Loader)(nil)

// roots are the folders that hold entries.
func (l *Loader) roots() []string {
	roots := []string{l.Host.Path(l.ESP)}
	if l.Extended != "" {
		roots = append(roots, l.Host.Path(l.Extended))
	}
	return roots
}

// Running is the slot of the entry that systemd-boot says it has chosen in this boot of the firmware.
func (l *Loader) Running(context.Context) (slot.Name, error) {
	id, err := l.said("LoaderEntrySelected")
	if err != nil || id == "" {
		return slot.None, err
	}
	n, _ := parseName(id, extension)
	return l.slot(n.stem), nil
}

// slot is the slot of a name in any case.
func (l *Loader) slot(stem string) slot.Name {
	for _, n := range []slot.Name{slot.A, slot.B} {
		if stem != "" && strings.EqualFold(stem, l.Names.Of(n)) {
			return n
		}
	}
	return slot.None
}

// State is what the names of the slot's files say, and which entry comes first.
func (l *Loader) State(_ context.Context, n slot.Name) (slot.State, error) {
	if _, err := l.mounts(); err != nil {
		return slot.State{}, err
	}
	t, err := readTree(l.roots())
	if err != nil {
		return slot.State{}, err
	}
	e := l.find(t, n)
	if e == nil {
		return slot.State{Verdict: slot.Bad}, nil
	}
	elsewhere, err := l.chosenElsewhere()
	s := slot.State{Verdict: slot.Good, First: t[0] == e && elsewhere == ""}
	switch {
	case e.left == 0 && e.done == 0: // as Disarm leaves it; a trial whose tries are used up has some that are done
		s.Verdict = slot.Bad
	case e.left != uncounted:
		s.Verdict, s.Left = slot.Trial, e.left
	}
	return s, err
}

// find is the slot's entry, of two the one that the loader would boot; nil if it boots none.
func (l *Loader) find(t tree, n slot.Name) *entry {
	for _, e := range t {
		if e.content != nil && strings.EqualFold(e.stem, l.Names.Of(n)) {
			return e
		}
	}
	return nil
}
