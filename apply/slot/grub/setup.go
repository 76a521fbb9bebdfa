package grub

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Setup makes a machine one that GRUB boots slots of.
type Setup struct {
	Config
	// Roots are the places of the slots' root file systems, each a partition.
	Roots map[slot.Name]string
	// Force makes a new state of the slots where there is one, or a block that is not sound.
	Force bool
}

// SetupResult is what Setup has done.
type SetupResult struct {
	Files []string `json:"files"` // what was written
	Next  []string `json:"next"`  // what a person has to do now
}

// setupError is a machine that cannot be set up as it is.
type setupError struct{ text, advice string }

func (e *setupError) Error() string { return e.text }

// Reason is the stable word for scripts.
func (e *setupError) Reason() string { return "loader" }

// Hint says what to do next.
func (e *setupError) Hint() string { return e.advice }

// Run looks at everything first, and writes the block last: it is what makes the machine ready.
func (s Setup) Run() (*SetupResult, error) {
	l, err := New(s.Config)
	if err != nil {
		return nil, err
	}
	running, err := s.running(l)
	if err != nil {
		return nil, err
	}
	block, err := s.newBlock(l, running)
	if err != nil {
		return nil, err
	}
	done := &SetupResult{}
	if !l.rauc {
		if err := s.writeScript(l, done); err != nil {
			return nil, err
		}
	}
	if err := s.writeBlock(l, block, done); err != nil {
		return nil, err
	}
	done.Next = l.next(l.generates())
	return done, nil
}

func (l *Loader) next(generated bool) []string {
	boot := "boot again, then: sallyport doctor"
	switch {
	case l.rauc:
		return []string{fmt.Sprintf("put %s=NAME %s=$%s behind the kernel of each slot in grub.cfg", host.SlotParam, host.EnvParam, markVar), boot}
	case l.sourced():
		return []string{boot}
	case generated:
		return []string{"update-grub", boot}
	}
	return []string{"put this line at the end of grub.cfg: source $prefix/" + ScriptFile, boot}
}

// running is the slot whose root file system runs now: it is the one that is known to be good.
func (s Setup) running(l *Loader) (slot.Name, error) {
	root, err := s.Host.MountOf("/")
	if err != nil {
		return slot.None, err
	}
	folder, err := s.Host.MountOf(filepath.Dir(l.env))
	if errors.Is(err, fs.ErrNotExist) {
		return slot.None, &setupError{"GRUB has no folder " + filepath.Dir(l.env),
			"mount it, or name the environment block that GRUB reads in spec.slots.grub.env of site.yaml"}
	}
	if err != nil {
		return slot.None, err
	}
	running := slot.None
	for _, n := range []slot.Name{slot.A, slot.B} {
		number, ok := s.Host.BlockDevice(s.Roots[n])
		if !ok {
			return slot.None, &setupError{fmt.Sprintf("%q, where slot %s should have its root file system, is no partition", s.Roots[n], l.names.Of(n)),
				"name the partition in spec.slots of site.yaml, as in parts: {root: /dev/disk/by-partlabel/root-a}"}
		}
		if number == folder.Device {
			return slot.None, &setupError{fmt.Sprintf("GRUB's folder %s lies in slot %s itself: the next update but one would write over it", filepath.Dir(l.env), l.names.Of(n)),
				"give GRUB's folder a partition of its own, mounted at /boot; see docs/bootloaders.md"}
		}
		if number == root.Device {
			running = n
		}
	}
	if running == slot.None {
		return slot.None, &setupError{fmt.Sprintf("the root file system (%s) is neither that of slot %s nor that of slot %s, so nothing tells which of them is good", root.Source, l.names.A, l.names.B),
			"boot the machine from one of the two, and run the same command there"}
	}
	return running, nil
}

// newBlock is what the block will hold: the state that is there, unless there is none or a new one was asked for.
func (s Setup) newBlock(l *Loader, running slot.Name) ([]byte, error) {
	b, t, err := l.known()
	if errors.Is(err, fs.ErrNotExist) || s.Force && b == nil {
		b, err = &block{}, nil
	}
	if err != nil && !s.Force {
		return nil, err
	}
	if t == nil || s.Force {
		name, other := l.names.Of(running), l.names.Of(running.Other())
		t = &table{order: []string{name, other}, state: map[string]slot.State{name: {Verdict: slot.Good}, other: {Verdict: slot.Bad}}}
	}
	if t.mark == "" {
		mark := make([]byte, maxMark/4)
		if _, err := rand.Read(mark); err != nil {
			return nil, err
		}
		t.mark = hex.EncodeToString(mark)
	}
	return l.render(b, t)
}

// known is the block, nil if it is not sound, and the table in it, nil where it holds no state.
func (l *Loader) known() (*block, *table, error) {
	b, err := l.readBlock()
	if err != nil {
		return nil, nil, err
	}
	t, err := l.dialect.decode(b, l.list())
	if errors.Is(err, errNoState) {
		return b, nil, nil
	}
	if err != nil {
		return b, nil, l.damaged(err)
	}
	return b, t, nil
}

// writeBlock writes the block over the one that is there. A new file is made where there is none, or one of another size, which
// is none of GRUB's.
func (s Setup) writeBlock(l *Loader, data []byte, done *SetupResult) error {
	path := s.Host.Path(l.env)
	if info, err := os.Stat(path); err != nil || info.Size() != blockSize {
		if err := s.Disk.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	if err := l.checkPlace(); err != nil {
		return err
	}
	if err := l.write(data); err != nil {
		return &placeError{l.env, err}
	}
	done.Files = append(done.Files, l.env)
	return nil
}
