package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
)

// PartWriter writes a bundle to FILE, or to FILE.001, FILE.002 and so on with FILE.parts.json. Nothing stands under these
// names before Commit; Close without Commit leaves nothing behind.
type PartWriter struct {
	path  string
	limit int64 // bytes a part; 0: one file
	temps []string
	open  *os.File
	list  PartList
	whole digest.Digester
	part  digest.Digester
	n     int64 // bytes in the open part
	err   error
}

// NewPartWriter makes a writer for the bundle at path, in parts of size bytes, or in one file if size is 0.
func NewPartWriter(path string, size int64) (*PartWriter, error) {
	if size < 0 {
		return nil, errorf(reasonUsage, "a part cannot have %d bytes", size)
	}
	w := &PartWriter{path: path, limit: size, whole: digest.SHA256.Digester()}
	w.list = PartList{APIVersion: APIVersion, Kind: kindParts, File: filepath.Base(path), PartSize: size}
	if err := w.start(); err != nil {
		return nil, err
	}
	return w, nil
}

// start opens the temporary file of the next part.
func (w *PartWriter) start() error {
	if len(w.temps) == MaxParts {
		e := errorf(reasonUsage, "%s needs more than %d parts of %d bytes", w.path, MaxParts, w.limit)
		e.hint = "choose larger parts"
		return e
	}
	f, err := os.CreateTemp(filepath.Dir(w.path), "."+filepath.Base(w.path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	w.open, w.n, w.part = f, 0, digest.SHA256.Digester()
	w.temps = append(w.temps, f.Name())
	return nil
}

// Write appends to the bundle. A part is begun when there is a byte for it.
func (w *PartWriter) Write(p []byte) (int, error) {
	var done int
	for w.err == nil && done < len(p) {
		chunk := p[done:]
		if w.limit > 0 {
			if w.n == w.limit {
				if w.err = w.roll(); w.err != nil {
					break
				}
			}
			chunk = chunk[:min(int64(len(chunk)), w.limit-w.n)]
		}
		n, err := w.open.Write(chunk)
		w.part.Hash().Write(chunk[:n])
		w.whole.Hash().Write(chunk[:n])
		w.n += int64(n)
		done += n
		if err != nil {
			w.err = fmt.Errorf("write %s: %w", w.path, err)
		}
	}
	return done, w.err
}

func (w *PartWriter) roll() error {
	if err := w.finish(); err != nil {
		return err
	}
	return w.start()
}

// finish makes the open part durable and notes it.
func (w *PartWriter) finish() error {
	f := w.open
	w.open = nil
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	w.list.Parts = append(w.list.Parts, FilePart{File: partName(w.list.File, len(w.temps)), Size: w.n, Digest: w.part.Digest()})
	w.list.Size += w.n
	return nil
}

// Commit gives the files their names and makes them durable.
func (w *PartWriter) Commit() error {
	if w.err == nil {
		w.err = w.commit()
	}
	return w.err
}

func (w *PartWriter) commit() error {
	if w.open == nil {
		return fmt.Errorf("write %s: %w", w.path, fs.ErrClosed)
	}
	if err := w.finish(); err != nil {
		return err
	}
	if w.limit == 0 {
		if err := os.Rename(w.temps[0], w.path); err != nil {
			return fmt.Errorf("write %s: %w", w.path, err)
		}
		w.temps = nil
		return syncDir(filepath.Dir(w.path))
	}
	if err := w.stale(); err != nil {
		return err
	}
	return w.nameParts()
}

// stale refuses to mix with the parts of an earlier bundle, which cat would append.
func (w *PartWriter) stale() error {
	next := partName(w.path, len(w.temps)+1)
	if _, err := os.Lstat(next); !errors.Is(err, fs.ErrNotExist) {
		e := errorf(reasonUsage, "%s is left of an earlier bundle in more parts", next)
		e.hint = "remove the old parts, or choose another name"
		return e
	}
	return nil
}

// nameParts renames the parts, and last writes their list, without which earlier parts of another bundle might count.
func (w *PartWriter) nameParts() error {
	w.list.Digest = w.whole.Digest()
	b, err := w.list.Marshal()
	if err != nil {
		return err
	}
	if err := os.Remove(partListName(w.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	for i, temp := range w.temps {
		if err := os.Rename(temp, partName(w.path, i+1)); err != nil {
			return fmt.Errorf("write %s: %w", w.path, err)
		}
	}
	w.temps = nil
	if err := writeFile(partListName(w.path), b); err != nil {
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	return syncDir(filepath.Dir(w.path))
}

// Paths are the files that Commit made, for messages: the bundle or its parts, and the list of parts.
func (w *PartWriter) Paths() []string {
	if w.limit == 0 {
		return []string{w.path}
	}
	var paths []string
	for i := range w.list.Parts {
		paths = append(paths, partName(w.path, i+1))
	}
	return append(paths, partListName(w.path))
}

// Close removes what has no name yet. After Commit it does nothing.
func (w *PartWriter) Close() error {
	var errs []error
	if w.open != nil {
		errs = append(errs, w.open.Close())
		w.open = nil
	}
	for _, temp := range w.temps {
		if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	w.temps = nil
	return errors.Join(errs...)
}

// writeFile replaces a small file durably.
func writeFile(path string, b []byte) error {
	w, err := NewPartWriter(path, 0)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	if err == nil {
		err = w.Commit()
	}
	return errors.Join(err, w.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	return nil
}

var _ io.WriteCloser = (*PartWriter)(nil)
