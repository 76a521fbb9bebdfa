// Package rauc has an installed RAUC write and activate a slot; what is written, and whether it stays, is decided here. RAUC's service
// is called on D-Bus by way of RAUC's own command, which knows how to wait for it.
//
// The part of the operating system is a RAUC bundle, in a file that waits for its slot. Arming hands it to RAUC, which checks its
// signature, writes the slot and activates it. RAUC's own unit that marks whatever has booted as good (rauc-mark-good.service) must
// be disabled: it would say good of a trial before any check.
package rauc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/marks"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Config says where RAUC is.
type Config struct {
	// Bus is the address of the D-Bus that RAUC's service is on; empty for the system bus.
	Bus   string
	Names slot.BootNames // the slots' bootname in RAUC's system.conf
	// Bundles are the files of the bundles, by the slot that each is for.
	Bundles map[slot.Name]string
	// Disk takes the notes of what was installed; for tests, each call that writes is an operation of it.
	Disk durable.Disk
	// Patience is how long an installation may take; 0 is DefaultPatience.
	Patience time.Duration
}

// DefaultPatience is enough for 32 GiB on a slow card.
const DefaultPatience = 4 * time.Hour

// Loader is RAUC.
type Loader struct {
	*marks.Loader
	client  client
	bundles map[slot.Name]string
	disk    durable.Disk
}

var _ slot.Loader = (*Loader)(nil)

// New makes the loader. It calls nobody.
func New(c Config) *Loader {
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	rauc := client{bus: c.Bus, names: c.Names, disk: c.Disk, patience: c.Patience}
	return &Loader{Loader: marks.New(rauc, "RAUC", c.Names), client: rauc, bundles: c.Bundles, disk: c.Disk}
}

// Arm has RAUC install the slot's bundle, unless the slot holds it already, and activates the slot. A slot without a bundle is
// activated as it is.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (bool, error) {
	if err := l.Fit(ctx, n); err != nil {
		return false, err
	}
	if err := l.fill(ctx, n); err != nil {
		return false, err
	}
	return l.Loader.Arm(ctx, n)
}

// fill installs the bundle of a slot that does not hold it.
func (l *Loader) fill(ctx context.Context, n slot.Name) error {
	path := l.bundles[n]
	if _, err := os.Stat(path); path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	want, err := digestOf(path)
	if err != nil {
		return err
	}
	now, err := l.note(ctx, n, want)
	if err != nil || now.kept(path) {
		return err
	}
	if err := l.client.install(ctx, path); err != nil {
		return &marks.Error{Text: "RAUC could not install " + path + " in slot " + n.String(), Err: err}
	}
	if now, err = l.note(ctx, n, want); err != nil {
		return err
	}
	return now.keep(l.disk, path)
}

// note is what there is to note of a slot that holds a bundle.
func (l *Loader) note(ctx context.Context, n slot.Name, digest string) (note, error) {
	s, err := l.client.status(ctx)
	if err != nil {
		return note{}, err
	}
	rauc, one, err := s.named(l.client.names.Of(n))
	if err != nil || one.Kept.Status != "ok" {
		return note{}, err
	}
	return note{digest, rauc, one.Kept.Installed.Timestamp, one.Kept.Installed.Count}, nil
}
