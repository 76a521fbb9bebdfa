package systemdboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// Disarm gives the slot's entry a name that the loader passes over.
func (l *Loader) Disarm(ctx context.Context, n slot.Name) error {
	files, err := l.files(n)
	if err != nil {
		return err
	}
	if err := l.writable(); err != nil {
		return err
	}
	// What is passed over must leave a slot that is not.
	if other, err := l.State(ctx, n.Other()); err != nil || other.Verdict != slot.Good {
		return &slot.UnreadyError{
			Text:   fmt.Sprintf("slot %s cannot be passed over: slot %s is not good, and nothing would be left to boot", n, n.Other()),
			Advice: "decide the trial first: sallyport confirm", Err: err,
		}
	}
	content, err := l.content(n, files)
	if err != nil {
		return err
	}
	// Written even where it is there: that is the proof that the place can be written.
	if err := l.Disk.WriteFile(l.path(files, badFile(l.Names.Of(n))), content, 0o644); err != nil {
		return &slot.UnreadyError{
			Text: "cannot write to the boot loader's entries", Advice: "see to it that the ESP has room and is mounted for writing", Err: err,
		}
	}
	return l.settle(n, badFile(l.Names.Of(n)), content)
}

// Arm makes the slot's entry the first, with all its tries.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (bool, error) {
	files, err := l.files(n)
	if err != nil {
		return false, err
	}
	running, err := l.armable(ctx, n)
	if err != nil {
		return false, err
	}
	content, err := l.content(n, files)
	if err != nil {
		return false, err
	}
	if content, err = ahead(content, running); err != nil {
		return false, err
	}
	boot := l.Names.Of(n)
	armed := trialFile(boot, l.Tries)
	// Passed over in between, so that the loader never counts one file onto the name of another.
	if !only(files, armed, content) && !only(files, badFile(boot), content) {
		if err := l.replace(n, files, badFile(boot), content); err != nil {
			return false, err
		}
	}
	if err := l.replace(n, files, armed, content); err != nil {
		return false, err
	}
	return true, l.wants(ctx, n, slot.State{Verdict: slot.Trial, Left: l.Tries, First: true})
}

// armable is the entry of the slot that runs, if it is one to fall back to.
func (l *Loader) armable(ctx context.Context, n slot.Name) (*entry, error) {
	if err := l.Ready(ctx); err != nil {
		return nil, err
	}
	t, err := readTree(l.roots())
	if err != nil {
		return nil, err
	}
	running, err := l.Running(ctx)
	if err != nil {
		return nil, err
	}
	e := l.find(t, running)
	if running == n || e == nil || e.left != uncounted {
		return nil, &slot.UnreadyError{
			Text:   fmt.Sprintf("slot %s cannot be armed: slot %s runs, and must be the other one and good", n, running),
			Advice: "decide the trial first: sallyport confirm",
		}
	}
	return e, nil
}

// Commit takes the counter from the running slot's entry.
func (l *Loader) Commit(ctx context.Context, n slot.Name) error {
	files, err := l.files(n)
	if err != nil {
		return err
	}
	running, err := l.Running(ctx)
	if err != nil {
		return err
	}
	if running != n {
		return fmt.Errorf("cannot commit slot %s: systemd-boot has booted slot %s", n, running)
	}
	if err := l.writable(); err != nil {
		return err
	}
	content, err := l.content(n, files)
	if err != nil {
		return err
	}
	good := goodFile(l.Names.Of(n))
	if b, err := readFile(l.path(files, good)); err == nil && bytes.Equal(b, content) {
		err = l.settle(n, good, content) // the entry that runs is not written again without need
		return errors.Join(err, l.wants(ctx, n, slot.State{Verdict: slot.Good, First: true}))
	}
	if err := l.replace(n, files, good, content); err != nil {
		return err
	}
	return l.wants(ctx, n, slot.State{Verdict: slot.Good, First: true})
}

// files are the slot's files, of which there is one at least.
func (l *Loader) files(n slot.Name) ([]slotFile, error) {
	boot := l.Names.Of(n)
	if boot == "" {
		return nil, fmt.Errorf("there is no slot %s", n)
	}
	files, err := slotFiles(l.roots(), boot)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &slot.UnreadyError{
			Text:   fmt.Sprintf("slot %s has no entry: there is no %s in %s", n, goodFile(boot), filepath.Join(l.ESP, entriesDir)),
			Advice: fmt.Sprintf("write %s there, which starts the slot's kernel with %s=%s", badFile(boot), host.SlotParam, boot),
		}
	}
	return files, nil
}

// content is that of the slot's entry; of two that of the one that the loader would boot.
func (l *Loader) content(n slot.Name, files []slotFile) ([]byte, error) {
	t, err := readTree(l.roots())
	if err != nil {
		return nil, err
	}
	if e := l.find(t, n); e != nil {
		return e.content, nil
	}
	return readFile(files[0].path())
}

// path is where a file of the slot belongs: beside the first of those that it has.
func (l *Loader) path(files []slotFile, file string) string {
	return filepath.Join(files[0].root, entriesDir, file)
}

// only tells whether a slot has this file with this content, and no other.
func only(files []slotFile, file string, content []byte) bool {
	if len(files) != 1 || !strings.EqualFold(files[0].file, file) {
		return false
	}
	b, err := os.ReadFile(files[0].path())
	return err == nil && bytes.Equal(b, content)
}

// replace makes file the slot's only one.
func (l *Loader) replace(n slot.Name, files []slotFile, file string, content []byte) error {
	if err := l.Disk.WriteFile(l.path(files, file), content, 0o644); err != nil {
		return err
	}
	return l.settle(n, file, content)
}

// settle removes the slot's other files and sees to it that all of it is on the disk.
func (l *Loader) settle(n slot.Name, keep string, content []byte) error {
	files, err := l.files(n)
	if err != nil {
		return err
	}
	kept := l.path(files, keep)
	for _, f := range files {
		if strings.EqualFold(f.path(), kept) {
			continue
		}
		if err := l.Disk.Remove(f.path()); err != nil {
			return err
		}
	}
	for _, root := range l.roots() {
		if err := syncFileSystem(root); err != nil {
			return fmt.Errorf("cannot flush %s: %w", root, err)
		}
	}
	if files, err = l.files(n); err != nil {
		return err
	}
	if !only(files, keep, content) {
		return fmt.Errorf("%s was written and is not what it should be", keep)
	}
	return nil
}

// wants reads back what the loader will do.
func (l *Loader) wants(ctx context.Context, n slot.Name, want slot.State) error {
	got, err := l.State(ctx, n)
	if err == nil && got != want {
		err = &slot.UnreadyError{
			Text:   fmt.Sprintf("the entry of slot %s was written, and the loader would take it for %s with %d tries, first: %v", n, got.Verdict, got.Left, got.First),
			Advice: "look at bootctl list: is the slot's kernel there, and no other entry before it?",
		}
	}
	return err
}
