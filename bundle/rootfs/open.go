package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// UnreadError says that an image holds a file system that this package does not read.
type UnreadError struct{ Kind string }

// Error names the file system.
func (e *UnreadError) Error() string {
	return "its file system is " + e.Kind + ", which cannot be looked into"
}

// ErrNone says that an image holds no file system: it is a kernel, a verity tree.
var ErrNone = errors.New("it holds no file system")

// FS is the file system of an image. It is for one goroutine.
type FS struct {
	kind string
	tree tree
	dirs map[string]map[string]fs.DirEntry // that Find has read
}

// head is how many bytes of an image tell what it is.
const head = 0x10048

// magics are the marks of file systems, and where they stand.
var magics = []struct {
	kind string
	at   int
	mark string
}{
	{"squashfs", 0, "hsqs"},
	{"ext4", 0x438, "\x53\xef"},
	{"erofs", 0x400, "\xe2\xe1\xf5\xe0"},
	{"btrfs", 0x10040, "_BHRfS_M"},
	{"xfs", 0, "XFSB"},
	{"f2fs", 0x400, "\x10\x20\xf5\xf2"},
	{"FAT", 82, "FAT32"},
	{"FAT", 54, "FAT1"},
	{"LUKS", 0, "LUKS\xba\xbe"},
	{"a disk with partitions", 512, "EFI PART"},
}

// Open finds out what file system an image of size bytes holds. The error is ErrNone if there is none, an *UnreadError if it
// is one of those that are not read, and anything else of one that is damaged.
func Open(r io.ReaderAt, size int64) (f *FS, err error) {
	front := make([]byte, min(head, size))
	if _, err := r.ReadAt(front, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for _, m := range magics {
		if m.at >= len(front) || !bytes.HasPrefix(front[m.at:], []byte(m.mark)) {
			continue
		}
		f := &FS{kind: m.kind, dirs: make(map[string]map[string]fs.DirEntry)}
		err := guard(func() error { return f.open(newStorage(r, size)) })
		var unread *UnreadError
		if err != nil && !errors.As(err, &unread) {
			err = fmt.Errorf("its %s cannot be read: %w", m.kind, err)
		}
		return f, err
	}
	return nil, ErrNone
}

// Kind is ext4 (ext2 and ext3 too) or squashfs.
func (f *FS) Kind() string { return f.kind }

func (f *FS) open(s *storage) (err error) {
	switch f.kind {
	case "ext4":
		f.tree, err = openExt(s)
	case "squashfs":
		f.tree, err = openSquash(s)
	default:
		err = &UnreadError{f.kind}
	}
	return err
}

// guard turns a panic into an error.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its reader failed: %v", p)
		}
	}()
	return do()
}
