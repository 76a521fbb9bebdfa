package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// A file that is read back before it gets its name is old or new at every moment, and leaves nothing beside it.
func TestReplaceUnderEveryFault(t *testing.T) {
	replace := func(text string) func(d durable.Disk, dir string) error {
		return func(d durable.Disk, dir string) error {
			path := filepath.Join(dir, "f")
			left, err := durable.Leftovers(path)
			if err != nil {
				return err
			}
			for _, name := range left {
				if err := d.Remove(name); err != nil {
					return err
				}
			}
			r, err := d.Replace(path, 0o640)
			if err != nil {
				return err
			}
			_, err = r.Write([]byte(text))
			if err == nil {
				err = r.Flush()
			}
			if err != nil {
				return errors.Join(err, r.Discard())
			}
			return r.Commit()
		}
	}
	everyFault(t, replace("old"), replace("new"), func(dir string, ok bool) string {
		if left, err := durable.Leftovers(filepath.Join(dir, "f")); ok && (err != nil || len(left) > 0) {
			return "something is left beside it"
		}
		return oldOrNew(read(t, filepath.Join(dir, "f")), "old", "new", ok)
	})
}

func TestReplaceDiscarded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := durable.Disk{}.Replace(path, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	if left, err := durable.Leftovers(path); err != nil || len(left) > 0 || read(t, path) != "old" {
		t.Errorf("left: %v, %v, and the file holds %q", left, err, read(t, path))
	}
}

// What is set aside has its old name or the new one at every moment.
func TestSetAsideUnderEveryFault(t *testing.T) {
	prepare := func(_ durable.Disk, dir string) error {
		return os.WriteFile(filepath.Join(dir, "f"), []byte("old"), 0o644)
	}
	work := func(d durable.Disk, dir string) error {
		return d.SetAside(filepath.Join(dir, "f"), filepath.Join(dir, "f.aside"), 0o600)
	}
	everyFault(t, prepare, work, func(dir string, ok bool) string {
		f, aside := read(t, filepath.Join(dir, "f")), read(t, filepath.Join(dir, "f.aside"))
		if info, err := os.Stat(filepath.Join(dir, "f.aside")); err == nil && info.Mode().Perm() != 0o600 {
			return "anybody may read what was set aside"
		}
		return oldOrNew(f+","+aside, "old,(none)", "(none),old", ok)
	})
	if err := work(durable.Disk{}, filepath.Join(t.TempDir(), "no folder")); err != nil {
		t.Error(err)
	}
}
