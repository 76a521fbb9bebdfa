package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// entry is a file, folder or link of an item, and whose it is. What it holds is in the backup.
type entry struct {
	Path string      `json:"path"` // below the item; "." is the item itself
	Mode fs.FileMode `json:"mode"`
	UID  int         `json:"uid"`
	GID  int         `json:"gid"`
	Link string      `json:"link,omitempty"` // where a link leads
}

// kept are the bits of a mode that are restored.
const kept = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// copyTree copies a file or a folder with all in it, for its owner alone, and returns what else is to be known of them. The
// files of a database are copied together. Sockets and the like are left out, and so is what a file system keeps for itself.
func copyTree(ctx context.Context, from, to string) ([]entry, error) {
	var all []entry
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, path)
		switch {
		case rel != "." && errors.Is(err, fs.ErrNotExist):
			return nil // it has just gone
		case err != nil || relErr != nil || ctx.Err() != nil:
			return errors.Join(err, relErr, ctx.Err())
		case d.IsDir() && d.Name() == "lost+found":
			return fs.SkipDir
		case len(all) == maxFiles:
			return faultf("keep fewer files there", "%s has more than %d files", from, maxFiles)
		case partOfDatabase(path):
			return nil
		}
		e, err := entryOf(path, rel)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rel); {
		case d.IsDir():
			err = os.Mkdir(target, 0o700)
		case d.Type() == fs.ModeSymlink:
			e.Link, err = os.Readlink(path)
		case !d.Type().IsRegular():
			return nil
		case isDatabase(path):
			var more []entry
			more, err = copyDatabase(ctx, path, rel, target)
			all = append(all, more...)
		default:
			err = copyFile(ctx, path, target)
			if errors.Is(err, fs.ErrNotExist) && rel != "." {
				return nil
			}
		}
		all = append(all, e)
		return err
	})
	return all, err
}

func entryOf(path, rel string) (entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return entry{}, err
	}
	e := entry{Path: rel, Mode: info.Mode() & (kept | fs.ModeType)}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		e.UID, e.GID = int(sys.Uid), int(sys.Gid)
	}
	return e, nil
}

// copyFile copies what a file holds now, for the owner alone.
func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return copyOpen(ctx, in, to)
}

// copyOpen copies an open file from where it stands.
func copyOpen(ctx context.Context, in *os.File, to string) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, &reader{ctx, in})
	return errors.Join(err, out.Close())
}

// own gives a file, folder or link its owner and mode.
func (e entry) own(path string) error {
	info, err := entryOf(path, e.Path)
	if err == nil && (info.UID != e.UID || info.GID != e.GID) {
		err = os.Lchown(path, e.UID, e.GID)
	}
	if err == nil && e.Mode&fs.ModeSymlink == 0 {
		err = os.Chmod(path, e.Mode&kept)
	}
	return err
}

// check refuses what no backup of ours says: names that lead out of the item.
func (e entry) check() error {
	if !filepath.IsLocal(e.Path) || e.Mode&fs.ModeType&^(fs.ModeDir|fs.ModeSymlink) != 0 {
		return fmt.Errorf("its record is damaged: %q is no file of it", e.Path)
	}
	return nil
}
