package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Limits of looking for one file.
const (
	maxLinks = 40      // symbolic links on the way
	maxFile  = 1 << 20 // bytes of what ReadFile reads
)

// Find follows a path from the file system's root, symbolic links too, as a process in it would. It gives the file's own path.
// The error is fs.ErrNotExist if there is no such file.
func (f *FS) Find(name string) (found string, e fs.DirEntry, err error) {
	err = guard(func() error {
		found, e, err = f.find(name)
		return err
	})
	return found, e, err
}

func (f *FS) find(name string) (string, fs.DirEntry, error) {
	way, left := []place{{path: "."}}, steps(name)
	for links := 0; len(left) > 0; {
		at, step := way[len(way)-1], left[0]
		left = left[1:]
		if step == ".." {
			way = way[:max(1, len(way)-1)]
			continue
		}
		entries, err := f.entries(at)
		if err != nil {
			return "", nil, err
		}
		e, next := entries[step], path.Join(at.path, step)
		if e == nil {
			return "", nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		if e.Type()&fs.ModeSymlink == 0 {
			way = append(way, place{next, e})
			continue
		}
		if links++; links > maxLinks {
			return "", nil, fmt.Errorf("%s: too many symbolic links", name)
		}
		target, err := f.tree.link(next, e)
		if err != nil {
			return "", nil, err
		}
		if path.IsAbs(target) {
			way = way[:1]
		}
		left = append(steps(target), left...)
	}
	at := way[len(way)-1]
	return at.path, at.e, nil
}

// place is a file and where it is; the root has no entry.
type place struct {
	path string
	e    fs.DirEntry
}

// steps takes a path apart, but for what leads nowhere.
func steps(name string) []string {
	var list []string
	for _, s := range strings.Split(name, "/") {
		if s != "" && s != "." {
			list = append(list, s)
		}
	}
	return list
}

// entries lists a folder once. What is no folder has none.
func (f *FS) entries(at place) (map[string]fs.DirEntry, error) {
	if known, ok := f.dirs[at.path]; ok {
		return known, nil
	}
	if at.e != nil && !at.e.IsDir() {
		return nil, nil
	}
	list, err := f.tree.list(at.path, at.e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.path, err)
	}
	entries := make(map[string]fs.DirEntry, len(list))
	for _, e := range list {
		entries[e.Name()] = e
	}
	f.dirs[at.path] = entries
	return entries, nil
}

// List names what is in a folder; nothing if there is no such folder.
func (f *FS) List(name string) (names []string, err error) {
	return f.names(name, func(fs.DirEntry) bool { return true })
}

// Links is List for symbolic links alone.
func (f *FS) Links(name string) (names []string, err error) {
	return f.names(name, func(e fs.DirEntry) bool { return e.Type()&fs.ModeSymlink != 0 })
}

func (f *FS) names(name string, wanted func(fs.DirEntry) bool) (names []string, err error) {
	err = guard(func() error {
		at, e, err := f.find(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		entries, err := f.entries(place{at, e})
		for n, e := range entries {
			if wanted(e) {
				names = append(names, n)
			}
		}
		return err
	})
	return names, err
}

// ReadFile reads a small file, with Find's errors; of a larger one its first MiB.
func (f *FS) ReadFile(name string) (b []byte, err error) {
	err = guard(func() error {
		at, e, err := f.find(name)
		if err != nil {
			return err
		}
		if e == nil || !e.Type().IsRegular() {
			return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		r, _, err := f.tree.open(at, e)
		if err != nil {
			return err
		}
		defer r.Close()
		b, err = io.ReadAll(io.LimitReader(r, maxFile))
		return err
	})
	return b, err
}
