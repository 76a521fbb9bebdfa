package embedded

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/distribution/distribution/v3/registry/storage"
	"golang.org/x/sys/unix"
)

// Freed tells what a sweep removed.
type Freed struct {
	Blobs int
	Bytes int64
}

// Sweep removes from the folder the blobs and manifests to which no manifest of any repository leads. It may run while
// the folder is served, by this process or another: it waits until no request is making something visible, and such
// requests wait for it. What has been pushed but is not part of a manifest yet is removed; so the caller must keep
// loads and sweeps apart. A load by someone else that a sweep hits fails when it pushes its manifest, and works when
// it is tried again.
func Sweep(ctx context.Context, dir string, log *slog.Logger) (Freed, error) {
	freed, err := sweep(ctx, dir, log)
	if err != nil {
		err = &Error{Dir: dir, Err: err}
	}
	return freed, err
}

func sweep(ctx context.Context, dir string, log *slog.Logger) (Freed, error) {
	if _, err := os.Stat(filepath.Join(dir, repositoriesDir)); errors.Is(err, os.ErrNotExist) {
		return Freed{}, nil
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	redirectLogs(log)
	lock, err := lockFile(ctx, filepath.Join(dir, writeLock), unix.LOCK_EX)
	if err != nil {
		return Freed{}, err
	}
	defer lock.Close()
	d := newDriver(dir)
	registry, err := newStorage(ctx, d)
	if err != nil {
		return Freed{}, err
	}
	before, err := measure(dir)
	if err != nil {
		return Freed{}, err
	}
	if err := storage.MarkAndSweep(ctx, d, registry, storage.GCOpts{Quiet: true}); err != nil {
		return Freed{}, err
	}
	after, err := measure(dir)
	return Freed{Blobs: before.Blobs - after.Blobs, Bytes: before.Bytes - after.Bytes}, err
}

// measure counts the blobs of a folder and their bytes.
func measure(dir string) (Freed, error) {
	var sum Freed
	err := filepath.WalkDir(filepath.Join(dir, blobsDir), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() || e.Name() != "data" {
			return nil
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		sum.Blobs++
		sum.Bytes += fi.Size()
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return sum, err
}
