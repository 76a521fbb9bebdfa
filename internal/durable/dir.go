package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const oldMark = ".old"

func (d Disk) openDir(path string) (f *os.File, err error) {
	err = d.do(Op{Kind: OpOpenDir, Path: path}, func() error {
		f, err = os.Open(path)
		return err
	})
	if err != nil {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		return nil, err
	}
	return f, nil
}

func (d Disk) syncDir(f *os.File) error {
	return d.do(Op{Kind: OpSyncDir, Path: f.Name()}, f.Sync)
}

func (d Disk) syncDirAt(path string) error {
	f, err := d.openDir(path)
	if err != nil {
		return err
	}
	return errors.Join(d.syncDir(f), f.Close())
}

// Remove removes the file or empty folder at path and flushes the folder that held it; that there is none is no
// error.
func (d Disk) Remove(path string) error { return d.remove(path, os.Remove) }

// RemoveAll removes what is at path, with everything in it; that there is nothing is no error.
func (d Disk) RemoveAll(path string) error { return d.remove(path, os.RemoveAll) }

func (d Disk) remove(path string, remove func(string) error) error {
	parent, err := d.openDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, err)
	}
	defer parent.Close()
	err = d.do(Op{Kind: OpRemove, Path: path}, func() error { return remove(path) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s: %w", path, err)
	}
	// Flush even when there was nothing: an earlier removal may have been cut short of its flush.
	if err := d.syncDir(parent); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, err)
	}
	return nil
}

// MkdirAll creates the folder at path and those above it that are missing, each flushed into its parent.
func (d Disk) MkdirAll(path string, perm fs.FileMode) error {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("cannot create folder %s: something else has that name", path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := d.MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	err = d.do(Op{Kind: OpMkdir, Path: path}, func() error { return os.Mkdir(path, perm) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncDirAt(parent)
}

// ReplaceDir replaces the folder at path with one that fill has written, or creates it. fill writes plain files and
// folders into dir; they are flushed before dir takes its place. When fill or the disk fails, the folder is as it
// was.
//
// Where the file system can swap two folders (ext4, xfs, btrfs and tmpfs on Linux), the old or the new folder is
// there at every instant. Elsewhere there is an instant with none, and the old one then stands at path.old:
// RestoreDir, which must run before path is read after a power cut, puts it back.
func (d Disk) ReplaceDir(path string, fill func(dir string) error) error {
	if err := d.replaceDir(path, fill); err != nil {
		return fmt.Errorf("cannot replace folder %s: %w", path, err)
	}
	return nil
}

func (d Disk) replaceDir(path string, fill func(dir string) error) error {
	if err := d.RestoreDir(path); err != nil {
		return err
	}
	parent, err := d.openDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer parent.Close()
	temp, err := d.fillTemp(path, fill)
	if err != nil {
		return err
	}
	if err := d.place(temp, path, parent); err != nil {
		return errors.Join(err, d.discard(temp))
	}
	if err := d.syncDir(parent); err != nil {
		return err
	}
	// After a swap the old folder has the temporary name.
	return d.discard(temp)
}

// fillTemp makes, fills and flushes a temporary folder beside path.
func (d Disk) fillTemp(path string, fill func(dir string) error) (temp string, err error) {
	err = d.do(Op{Kind: OpCreate, Path: path}, func() error {
		temp, err = os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+tempMark+"*")
		return err
	})
	if err == nil {
		err = os.Chmod(temp, 0o755)
	}
	if err == nil {
		err = fill(temp)
	}
	if err == nil {
		err = d.syncTree(temp)
	}
	if err != nil && temp != "" {
		err = errors.Join(err, d.discard(temp))
	}
	return temp, err
}

// place puts temp where path is.
func (d Disk) place(temp, path string, parent *os.File) error {
	rename := func(from, to string) error {
		return d.do(Op{Kind: OpRename, Path: from, To: to}, func() error { return os.Rename(from, to) })
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return rename(temp, path)
	}
	err := d.do(Op{Kind: OpExchange, Path: temp, To: path}, func() error { return exchange(temp, path) })
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := rename(path, path+oldMark); err != nil {
		return err
	}
	// The old name must be on disk before anything has the chance to take its place.
	if err := d.syncDir(parent); err != nil {
		return err
	}
	if err := rename(temp, path); err != nil {
		return err
	}
	if err := d.syncDir(parent); err != nil {
		return err
	}
	return d.RemoveAll(path + oldMark)
}

// RestoreDir finishes or undoes a ReplaceDir that a power cut stopped between its two renames.
func (d Disk) RestoreDir(path string) error {
	old := path + oldMark
	if _, err := os.Lstat(old); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return d.RemoveAll(old)
	}
	if err := d.do(Op{Kind: OpRename, Path: old, To: path}, func() error { return os.Rename(old, path) }); err != nil {
		return err
	}
	return d.syncDirAt(filepath.Dir(path))
}

// syncTree flushes every file and folder below dir, and dir.
func (d Disk) syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return d.syncDirAt(path)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(d.sync(f), f.Close())
	})
}
