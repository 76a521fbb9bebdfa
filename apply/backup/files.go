package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// item is a file or a folder that belongs to the data.
type item struct {
	name     string // in the backup
	path     string // on the machine
	optional bool
}

// files are data that are copied file by file: those of a datastore, and what belongs to it and lies elsewhere.
type files struct {
	items    []item
	services services // that work on the data
	// cold tells that the data hold still only while the services are stopped. SQLite's files need not.
	cold bool
	// fits looks at a copy and refuses one that must not be restored.
	fits func(dir string) error
	disk durable.Disk
}

// saved is what is noted of an item.
type saved struct {
	Name    string  `json:"name"`
	Absent  bool    `json:"absent,omitempty"`
	Entries []entry `json:"entries,omitempty"` // folders before what is in them
}

// at is where an item is; a link is followed, so that its place and not the link is replaced.
func (i item) at() (string, error) {
	path, err := filepath.EvalSymlinks(i.path)
	if errors.Is(err, fs.ErrNotExist) {
		return i.path, err
	}
	return path, err
}

func (f *files) estimate(context.Context) (total int64, err error) {
	for _, i := range f.items {
		path, err := i.at()
		if errors.Is(err, fs.ErrNotExist) {
			if !i.optional {
				return 0, faultf("correct spec.data in site.yaml, or start what makes it", "there is no %s", i.path)
			}
			continue
		}
		if err != nil {
			return 0, err
		}
		n, err := sizeOf(path)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (f *files) save(ctx context.Context, dir string) (note []byte, err error) {
	if f.cold {
		if err := f.services.stop(ctx); err != nil {
			return nil, errors.Join(err, f.services.start(ctx))
		}
		defer func() { err = errors.Join(err, f.services.start(ctx)) }()
	}
	var all []saved
	for _, i := range f.items {
		s, err := saveItem(ctx, i, filepath.Join(dir, i.name))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if f.fits != nil {
		if err := f.fits(dir); err != nil {
			return nil, err
		}
	}
	return json.Marshal(all)
}

func saveItem(ctx context.Context, i item, to string) (saved, error) {
	s := saved{Name: i.name}
	from, err := i.at()
	if errors.Is(err, fs.ErrNotExist) && i.optional {
		s.Absent = true
		return s, nil
	}
	if err == nil {
		s.Entries, err = copyTree(ctx, from, to)
	}
	return s, err
}

func (f *files) restore(ctx context.Context, dir string, note []byte, stopped bool) error {
	var all []saved
	if err := json.Unmarshal(note, &all); err != nil {
		return fmt.Errorf("its record is damaged: %w", err)
	}
	if err := f.services.stop(ctx); err != nil {
		return err
	}
	for _, s := range all {
		if err := f.restoreItem(ctx, filepath.Join(dir, s.Name), s); err != nil {
			return err
		}
	}
	if stopped {
		return nil
	}
	return f.services.start(ctx)
}

func (f *files) restoreItem(ctx context.Context, from string, s saved) error {
	for _, i := range f.items {
		if i.name != s.Name {
			continue
		}
		to, err := i.at()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if s.Absent {
			return f.disk.RemoveAll(to)
		}
		return putBack(ctx, f.disk, from, to, s.Entries)
	}
	return fmt.Errorf("it has %s, which spec.data in site.yaml no longer names", s.Name)
}

// version is when the data were last written.
func (f *files) version(ctx context.Context) (string, error) {
	var last time.Time
	for _, i := range f.items {
		path, err := i.at()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		t, err := lastWritten(ctx, path)
		if err != nil {
			return "", err
		}
		if t.After(last) {
			last = t
		}
	}
	if last.IsZero() {
		return "", nil
	}
	return "the state of " + last.UTC().Format(time.RFC3339Nano), nil
}

func lastWritten(ctx context.Context, path string) (last time.Time, err error) {
	err = filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Ext(path) != ".db-shm" {
			var info os.FileInfo
			if info, err = e.Info(); err == nil && info.ModTime().After(last) {
				last = info.ModTime()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return errors.Join(err, ctx.Err())
	})
	return last, err
}
