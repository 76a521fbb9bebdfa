package rootfs

import (
	"io"
	"io/fs"

	"github.com/diskfs/go-diskfs/filesystem/squashfs"
)

// tree is a file system as it is read. Entries come from list; name is the path of an entry, and the root's entry is nil.
type tree interface {
	list(name string, dir fs.DirEntry) ([]fs.DirEntry, error)
	open(name string, file fs.DirEntry) (r io.ReadCloser, size int64, err error)
	link(name string, e fs.DirEntry) (string, error)
}

// cache is how many bytes of a squashfs are kept expanded.
const cache = 64 << 20

// squash is a squashfs.
type squash struct{ fs *squashfs.FileSystem }

func openSquash(s *storage) (tree, error) {
	t, err := squashfs.Read(s, s.size, 0, 0)
	if err != nil {
		return nil, err
	}
	t.SetCacheSize(cache)
	return squash{t}, nil
}

func (s squash) list(name string, _ fs.DirEntry) ([]fs.DirEntry, error) { return s.fs.ReadDir(name) }

func (s squash) open(name string, e fs.DirEntry) (io.ReadCloser, int64, error) {
	info, err := e.Info()
	if err != nil {
		return nil, 0, err
	}
	f, err := s.fs.Open(name)
	return f, info.Size(), err
}

func (s squash) link(_ string, e fs.DirEntry) (string, error) {
	if l, ok := e.(interface{ Readlink() (string, error) }); ok {
		return l.Readlink()
	}
	return "", fs.ErrInvalid
}
