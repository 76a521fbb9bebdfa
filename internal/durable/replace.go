package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Step performs one operation of a writer that works beside this package, such as one that fills a block device: it can fail
// wherever an operation of this package can.
func (d Disk) Step(op Op, do func() error) error { return d.do(op, do) }

// Replacement is a file that is written beside the one that it will replace, and may be read back before it does.
type Replacement struct {
	// File is open for reading and writing. Nobody but the replacement closes it.
	File *os.File

	disk   Disk
	path   string
	parent *os.File
}

// Replace begins to replace the file at path, or to create it, with perm whatever the umask is. It ends with Commit or Discard.
func (d Disk) Replace(path string, perm fs.FileMode) (*Replacement, error) {
	parent, err := d.openDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	r := &Replacement{disk: d, path: path, parent: parent}
	err = d.do(Op{Kind: OpCreate, Path: path}, func() (err error) {
		r.File, err = os.CreateTemp(filepath.Dir(path), tempPrefix(path)+"*")
		return err
	})
	if err == nil {
		err = r.File.Chmod(perm)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot write %s: %w", path, err), r.Discard())
	}
	return r, nil
}

// Write adds to the file.
func (r *Replacement) Write(p []byte) (n int, err error) {
	err = r.disk.do(Op{Kind: OpWrite, Path: r.File.Name()}, func() error {
		n, err = r.File.Write(p)
		return err
	})
	return n, err
}

// Flush brings what was written to the disk.
func (r *Replacement) Flush() error { return r.disk.sync(r.File) }

// Commit gives the file, which was flushed, its name.
func (r *Replacement) Commit() error {
	temp := r.File.Name()
	if err := r.File.Close(); err != nil {
		return errors.Join(err, r.Discard())
	}
	err := r.disk.do(Op{Kind: OpRename, Path: temp, To: r.path}, func() error { return os.Rename(temp, r.path) })
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write %s: %w", r.path, err), r.Discard())
	}
	if err := errors.Join(r.disk.syncDir(r.parent), r.parent.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", r.path, err)
	}
	return nil
}

// Discard gives the file up: nothing is left of it.
func (r *Replacement) Discard() error {
	r.parent.Close()
	if r.File == nil {
		return nil
	}
	r.File.Close()
	return r.disk.discard(r.File.Name())
}

func tempPrefix(path string) string { return "." + filepath.Base(path) + tempMark }

// Leftovers are the temporary files that a power cut left of replacing the file at path.
func Leftovers(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix(path)) {
			found = append(found, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return found, nil
}
