package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// watchEvery is how often the size of a backup is looked at while it grows.
const watchEvery = 200 * time.Millisecond

// watch returns a context that ends when the backup takes too long, is too large or fills its disk; its cause says which.
func (s *Store) watch(ctx context.Context, dir string) (context.Context, func()) {
	limit := s.cfg.timeout()
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(limit, func() {
		cancel(faultf("see what holds it up, or give it longer: spec.data.timeout in site.yaml", "it did not end in %s", seconds(limit)))
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := within(dir, s.cfg.maxBytes()); err != nil {
				cancel(err)
			}
		}
	}()
	return ctx, func() {
		late.Stop()
		cancel(nil)
		<-done
	}
}

// within tells whether what stands below dir is no larger than most, and its disk not full.
func within(dir string, most int64) error {
	size, err := sizeOf(dir)
	if err != nil {
		return err
	}
	if size > most {
		return tooLarge(size, most)
	}
	return roomFor(dir, 0)
}

// sizeOf is the size of the files below dir, which others write: one that has just gone counts for nothing.
func sizeOf(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				size += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return size, err
}

func tooLarge(size, most int64) error {
	return faultf("raise spec.data.maxBytes in site.yaml, or keep less there", "it takes %s, and no more than %s are allowed", words(size), words(most))
}

// roomFor wants so many bytes free on the disk of dir.
func roomFor(dir string, need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < need+spare {
		return faultf("make room there, then try again", "%s has %s free, and %s are needed", dir, words(free), words(need+spare))
	}
	return nil
}

// words prints a size in three figures.
func words(n int64) string {
	f, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for len(units) > 1 && f >= 1000 {
		f, units = f/1000, units[1:]
	}
	return fmt.Sprintf("%.3g %s", f, units[0])
}
