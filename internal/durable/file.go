package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	tempMark  = ".tmp-"
	chunkSize = 256 << 10
)

// WriteFile replaces the file at path with data, or creates it, with perm whatever the umask is.
func (d Disk) WriteFile(path string, data []byte, perm fs.FileMode) error {
	_, err := d.WriteFrom(path, bytes.NewReader(data), perm)
	return err
}

// WriteFrom replaces the file at path with what r gives, or creates it, with perm whatever the umask is. It returns
// the number of bytes. When r or the disk fails, the file is as it was.
func (d Disk) WriteFrom(path string, r io.Reader, perm fs.FileMode) (n int64, err error) {
	parent, err := d.openDir(filepath.Dir(path))
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer parent.Close()
	temp, n, err := d.writeTemp(path, r, perm)
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", path, err)
	}
	err = d.do(Op{Kind: OpRename, Path: temp, To: path}, func() error { return os.Rename(temp, path) })
	if err != nil {
		return 0, errors.Join(fmt.Errorf("cannot write %s: %w", path, err), d.discard(temp))
	}
	if err := d.syncDir(parent); err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", path, err)
	}
	return n, nil
}

// writeTemp writes and flushes a temporary file beside path, of which nothing is left when it fails.
func (d Disk) writeTemp(path string, r io.Reader, perm fs.FileMode) (name string, n int64, err error) {
	var f *os.File
	dir, pattern := filepath.Dir(path), "."+filepath.Base(path)+tempMark+"*"
	err = d.do(Op{Kind: OpCreate, Path: path}, func() (err error) {
		f, err = os.CreateTemp(dir, pattern)
		return err
	})
	if err != nil {
		if f != nil {
			err = errors.Join(err, f.Close(), d.discard(f.Name()))
		}
		return "", 0, err
	}
	if err = f.Chmod(perm); err == nil {
		n, err = d.copy(f, r)
	}
	if err == nil {
		err = d.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, errors.Join(err, d.discard(f.Name()))
	}
	return f.Name(), n, nil
}

// copy writes what r gives, chunk by chunk, so that a fault can fall between any two.
func (d Disk) copy(f *os.File, r io.Reader) (n int64, err error) {
	w := writerFunc(func(p []byte) (m int, err error) {
		err = d.do(Op{Kind: OpWrite, Path: f.Name()}, func() error {
			m, err = f.Write(p)
			return err
		})
		return m, err
	})
	// Hide WriterTo: a bytes.Reader would hand over everything in one call.
	return io.CopyBuffer(w, struct{ io.Reader }{r}, make([]byte, chunkSize))
}

func (d Disk) sync(f *os.File) error {
	return d.do(Op{Kind: OpSync, Path: f.Name()}, f.Sync)
}

// discard removes a temporary file that will not be used. The disk that just failed may refuse this too: then
// Sweep removes it another day.
func (d Disk) discard(temp string) error {
	err := d.do(Op{Kind: OpRemove, Path: temp}, func() error { return os.RemoveAll(temp) })
	if err != nil {
		return fmt.Errorf("a temporary file is left behind: %w", err)
	}
	return nil
}

// Sweep removes the temporary files and folders that a power cut left in the folder dir. Nothing may be writing
// there at that moment.
func (d Disk) Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), tempMark) {
			err = errors.Join(err, d.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// SetAside gives the file at path another name in its folder, in place of what has that name, and the permissions perm, and flushes the
// folder. That there is no such file is no error. After a power cut it has one name or the other.
func (d Disk) SetAside(path, to string, perm fs.FileMode) error {
	parent, err := d.openDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer parent.Close()
		err = d.do(Op{Kind: OpRename, Path: path, To: to}, func() error {
			if err := os.Chmod(path, perm); err != nil {
				return err
			}
			return os.Rename(path, to)
		})
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // what was cut short of its flush is flushed now
	}
	if err == nil {
		err = d.syncDir(parent)
	}
	if err != nil {
		return fmt.Errorf("cannot set %s aside: %w", path, err)
	}
	return nil
}
