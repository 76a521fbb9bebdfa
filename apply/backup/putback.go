package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// putBack makes the file or folder at to what it was when it was copied. A folder takes the place of the one before as a whole:
// nothing that was written since is left beside what is restored.
func putBack(ctx context.Context, disk durable.Disk, from, to string, entries []entry) error {
	if len(entries) == 0 {
		return errors.New("its record is damaged: it lists nothing")
	}
	root := entries[0]
	for _, e := range entries {
		if err := e.check(); err != nil {
			return err
		}
		if e.Path == "." {
			root = e
		}
	}
	if err := disk.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	size, err := sizeOf(from)
	if err == nil {
		err = roomFor(filepath.Dir(to), size)
	}
	switch {
	case err != nil:
		return err
	case !root.Mode.IsDir():
		return putFile(disk, from, to, root)
	case isMount(to):
		return putInside(ctx, disk, from, to, entries)
	}
	return disk.ReplaceDir(to, func(dir string) error { return fillTree(ctx, from, dir, entries) })
}

func putFile(disk durable.Disk, from, to string, e entry) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := disk.WriteFrom(to, in, e.Mode&kept); err != nil {
		return err
	}
	if err := e.own(to); err != nil {
		return err
	}
	f, err := os.Open(to)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close()) // whose it is, too
}

// fillTree writes a copied folder into the empty one that takes its place, and looks whether its databases are whole.
func fillTree(ctx context.Context, from, dir string, entries []entry) error {
	for _, e := range entries {
		path, copied := filepath.Join(dir, e.Path), filepath.Join(from, e.Path)
		var err error
		switch {
		case e.Mode.IsDir():
			err = os.MkdirAll(path, 0o700)
		case e.Mode&fs.ModeSymlink != 0:
			err = os.Symlink(e.Link, path)
		default:
			err = copyFile(ctx, copied, path)
		}
		if err != nil {
			return err
		}
	}
	if err := checkDatabases(ctx, dir); err != nil {
		return err
	}
	// Backwards, so that a folder is closed after all in it is written.
	for i := len(entries) - 1; i >= 0; i-- {
		err := entries[i].own(filepath.Join(dir, entries[i].Path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a log that the look at its database has taken into it
			return err
		}
	}
	return nil
}

// putInside replaces what is in a folder that is a file system of its own, and so cannot be replaced itself. Cut in the middle
// it leaves some of it, and is begun again.
func putInside(ctx context.Context, disk durable.Disk, from, to string, entries []entry) error {
	const stage = ".sallyport-restore"
	fresh := filepath.Join(to, stage)
	if err := disk.ReplaceDir(fresh, func(dir string) error { return fillTree(ctx, from, dir, entries) }); err != nil {
		return err
	}
	old, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	for _, d := range old {
		if d.Name() == stage || d.Name() == "lost+found" {
			continue
		}
		if err := disk.RemoveAll(filepath.Join(to, d.Name())); err != nil {
			return err
		}
	}
	return moveUp(disk, fresh, to)
}

// moveUp moves what is in a folder into the one above it, and removes the folder.
func moveUp(disk durable.Disk, fresh, to string) error {
	children, err := os.ReadDir(fresh)
	if err != nil {
		return err
	}
	for _, d := range children {
		if err := os.Rename(filepath.Join(fresh, d.Name()), filepath.Join(to, d.Name())); err != nil {
			return err
		}
	}
	return disk.RemoveAll(fresh) // which flushes the folder above it, too
}

// isMount tells whether a folder is the root of a file system.
func isMount(dir string) bool {
	var here, above syscall.Stat_t
	return syscall.Stat(dir, &here) == nil && syscall.Stat(filepath.Dir(dir), &above) == nil && here.Dev != above.Dev
}

// handOver gives all below dir, and dir, to the owner of another folder, for its eyes only.
func handOver(dir, like string) error {
	owner, err := entryOf(like, ".")
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		e := entry{Path: ".", Mode: 0o600, UID: owner.UID, GID: owner.GID}
		if d.IsDir() {
			e.Mode = 0o700
		}
		return e.own(path)
	})
}
