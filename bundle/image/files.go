package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// files is a folder, or a tar that is read like one.
type files interface {
	// open opens a regular file by its slash-separated name; what is not there wraps errNotFound.
	open(name string) (io.ReadCloser, error)
	Close() error
}

// dirFiles is a folder on disk. Links are followed, also out of it: build systems make layouts of links, and whatever
// they lead to must have the digest that is asked for.
type dirFiles string

func (d dirFiles) open(name string) (io.ReadCloser, error) {
	if !fs.ValidPath(name) {
		return nil, errorf("%q is not a path inside a layout", name)
	}
	path := filepath.Join(string(d), filepath.FromSlash(name))
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Problem: path, Err: errNotFound}
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would wait for ever
		return nil, errorf("%s is not a regular file", path)
	}
	return os.Open(path)
}

func (d dirFiles) Close() error { return nil }

// readFile reads a small file.
func readFile(f files, name string) ([]byte, error) {
	rc, err := f.open(name)
	if err != nil {
		return nil, err
	}
	raw, err := readDocument(rc, name)
	if cerr := rc.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("reading %s: %w", name, cerr)
	}
	return raw, err
}
