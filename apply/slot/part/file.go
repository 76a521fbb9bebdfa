package part

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// fileWriter replaces a file as a whole, by one that is written beside it and read back before it gets the name.
type fileWriter struct {
	disk     durable.Disk
	path     string
	size     int64
	file     *durable.Replacement
	unsynced int64
	over     bool
}

// openFile begins to replace the file, unless it has the bytes already.
func (t *Target) openFile(ctx context.Context, disk durable.Disk, p *place, size int64, want digest.Digest) (medium, error) {
	if err := p.unchanged(t.host); err != nil {
		return nil, err
	}
	left, err := durable.Leftovers(p.real)
	if err != nil {
		return nil, p.plain(err)
	}
	for _, name := range left {
		if err := disk.Remove(name); err != nil {
			return nil, p.plain(err)
		}
	}
	if info, err := os.Stat(p.real); err == nil && info.Size() == size {
		got, err := Digest(ctx, t.host, p.path, size)
		if err == nil && got == want {
			return &there{size}, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	f, err := disk.Replace(p.real, 0o644)
	if err != nil {
		return nil, p.plain(err)
	}
	if dev, _, err := inode(f.File.Name()); err != nil || dev != p.dev {
		return nil, errors.Join(p.unfit(renamed, "its folder %s was on device %s when it was looked at, and is on %s now",
			filepath.Dir(p.path), number(p.dev), number(dev)), err, f.Discard())
	}
	return &fileWriter{disk: disk, path: p.real, size: size, file: f}, nil
}

// Write takes the next bytes of the image.
func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if w.unsynced += int64(n); err == nil && w.unsynced >= syncEvery {
		w.unsynced = 0
		err = w.flush()
	}
	return n, err
}

// flush brings what was written to the medium, and out of memory.
func (w *fileWriter) flush() error {
	err := w.file.Flush()
	dropCache(w.file.File)
	return err
}

func (w *fileWriter) finish(ctx context.Context, want digest.Digest, advanced func(n int64)) (Written, error) {
	err := w.flush()
	if err == nil {
		err = readBack(ctx, &reading{w.file.File, w.size, 1, advanced}, w.path, want)
	}
	if err != nil {
		return Written{}, errors.Join(err, w.close())
	}
	w.over = true
	if err := w.file.Commit(); err != nil {
		return Written{}, err
	}
	return Written{Bytes: w.size}, nil
}

func (w *fileWriter) close() error {
	if w.over {
		return nil
	}
	w.over = true
	if err := w.file.Discard(); err != nil {
		return fmt.Errorf("give up %s: %w", w.path, err)
	}
	return nil
}

// there is a file that has the image's bytes already, as was read from the medium.
type there struct{ size int64 }

func (t *there) Write(p []byte) (int, error) { return len(p), nil }

func (t *there) finish(_ context.Context, _ digest.Digest, advanced func(n int64)) (Written, error) {
	advanced(t.size)
	return Written{Skipped: t.size}, nil
}

func (t *there) close() error { return nil }
