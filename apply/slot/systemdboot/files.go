package systemdboot

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

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
