package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File is a bundle that is open for reading, wherever its bytes are.
type File struct {
	name string
	size int64
	r    io.Reader
	c    io.Closer
}

// Read gives the bundle's bytes. Those of a part are compared with the digest in FILE.parts.json before its end is passed.
func (f *File) Read(p []byte) (int, error) { return f.r.Read(p) }

// Close closes what OpenFile opened; standard input stays open.
func (f *File) Close() error {
	if f.c == nil {
		return nil
	}
	return f.c.Close()
}

// Name is what to call the bundle in messages: its path, the first part's path, or "standard input".
func (f *File) Name() string { return f.name }

// Size is how many bytes Read will give, or 0 if that is not known.
func (f *File) Size() int64 { return f.size }

// OpenFile opens what a user may name as a bundle: a file, the first of its parts (x.tar.001), the whole's name where only
// the parts are there, a directory that holds one bundle, or "-" for stdin.
func OpenFile(path string, stdin io.Reader) (*File, error) {
	if path == "-" {
		if stdin == nil {
			return nil, errorf(reasonUsage, "there is no standard input to read a bundle from")
		}
		return &File{name: "standard input", r: stdin}, nil
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return openMissing(path, err)
	case err != nil:
		return nil, fmt.Errorf("open the bundle: %w", err)
	case st.IsDir():
		return openDir(path)
	}
	if whole, n, ok := splitPartName(path); ok {
		return openPart(whole, n)
	}
	return openWhole(path)
}

// openMissing opens the parts of a file that is not there itself.
func openMissing(path string, missing error) (*File, error) {
	if _, err := os.Stat(partName(path, 1)); err == nil {
		return openParts(path)
	}
	return nil, fmt.Errorf("open the bundle: %w", missing)
}

func openWhole(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the bundle: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the bundle: %w", err), f.Close())
	}
	o := &File{name: path, r: f, c: f}
	if st.Mode().IsRegular() {
		o.size = st.Size()
	}
	return o, nil
}

// splitPartName takes FILE.NNN apart.
func splitPartName(path string) (whole string, n int, ok bool) {
	ext := filepath.Ext(path)
	if len(ext) != 4 || strings.Trim(ext[1:], "0123456789") != "" {
		return "", 0, false
	}
	whole = strings.TrimSuffix(path, ext)
	if filepath.Base(whole) == "." || whole == "" || strings.HasSuffix(whole, string(filepath.Separator)) {
		return "", 0, false
	}
	n = int(ext[1]-'0')*100 + int(ext[2]-'0')*10 + int(ext[3]-'0')
	return whole, n, n > 0
}

// openPart opens a bundle by one of its parts, which must be the first.
func openPart(whole string, n int) (*File, error) {
	if n != 1 {
		e := errorf(reasonUsage, "%s is part %d of a bundle", partName(whole, n), n)
		e.hint = "name the first part: " + partName(whole, 1)
		return nil, e
	}
	return openParts(whole)
}
