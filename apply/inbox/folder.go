package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Folder is a folder of files, such as one to which bundles are copied or where a stick is mounted. Its subfolders are not
// looked at, nor are names that begin with a dot.
type Folder string

// String is the folder's path.
func (f Folder) String() string { return string(f) }

// batch is how many names are read at once, so that a folder of very many takes no memory for all.
const batch = 1000

// List calls found for every file, and once for all parts of a bundle that is split.
func (f Folder) List(ctx context.Context, found func(Candidate) error) error {
	dir, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the inbox: %w", err)
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(batch)
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			c, ok := f.candidate(e)
			if !ok {
				continue
			}
			if err := found(c); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look into the inbox: %w", err)
		}
	}
}

// candidate looks at a name. What is no file, nor a link to one, is none.
func (f Folder) candidate(e fs.DirEntry) (Candidate, bool) {
	if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() && e.Type()&fs.ModeSymlink == 0 {
		return Candidate{}, false
	}
	path := filepath.Join(string(f), e.Name())
	parts, list, ok := bundle.Files(path)
	if !ok {
		return Candidate{}, false
	}
	c := Candidate{Name: path, Open: func(context.Context) (io.ReadCloser, error) { return open(path) },
		Tail: func(b []byte) (int, error) { return tail(parts[len(parts)-1], b) }}
	for _, part := range parts {
		id, size, changed, err := identity(part)
		if err != nil {
			return Candidate{}, false // it went away, or is a link to nothing
		}
		c.ID += id
		c.Size += size
		if changed.After(c.Changed) {
			c.Changed = changed
		}
	}
	if list != "" {
		id, _, _, err := identity(list)
		if err != nil {
			return Candidate{}, false
		}
		c.ID += id
	}
	return c, true
}

// identity tells a file's bytes apart from others by what stat says.
func identity(path string) (id string, size int64, changed time.Time, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", 0, time.Time{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return "", 0, time.Time{}, errors.New("it is no file")
	}
	mtime, ctime := time.Unix(st.Mtim.Unix()), time.Unix(st.Ctim.Unix())
	id = fmt.Sprintf("%d:%d:%d:%d:%d;", st.Dev, st.Ino, st.Size, mtime.UnixNano(), ctime.UnixNano())
	changed = mtime
	if ctime.After(mtime) {
		changed = ctime // a copy may keep the times of the original
	}
	return id, st.Size, changed, nil
}

// open opens a bundle. What has become something else than a file meanwhile must not hold up who reads it.
func open(path string) (io.ReadCloser, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	return bundle.OpenFile(path, nil)
}

// tail reads the end of a file.
func tail(path string, b []byte) (n int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b = b[:min(int64(len(b)), info.Size())]
	n, err = f.ReadAt(b, info.Size()-int64(len(b)))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
