package embedded

import (
	"context"
	"errors"
	"os"
)

// fileWriter writes one file for distribution, which closes it more than once.
type fileWriter struct {
	file   *os.File
	size   int64
	flush  bool // the content must be on the disk when Commit returns
	closed bool
}

func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.size += int64(n)
	return n, err
}

// Size returns the file's length in bytes.
func (w *fileWriter) Size() int64 { return w.size }

// Close ends the writing. What is written stays.
func (w *fileWriter) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return w.file.Close()
}

// Cancel removes the file.
func (w *fileWriter) Cancel(context.Context) error {
	err := w.Close()
	if rm := os.Remove(w.file.Name()); !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}

// Commit makes the content durable.
func (w *fileWriter) Commit(context.Context) error {
	if !w.flush {
		return nil
	}
	return w.file.Sync()
}
