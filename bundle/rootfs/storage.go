package rootfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/diskfs/go-diskfs/backend"
)

// errTooMuch says that an image makes its reader read far more bytes than it has.
var errTooMuch = errors.New("it is laid out such that reading it does not come to an end")

// storage shows an image to the readers of file systems, which want a file. It cannot be written to.
type storage struct {
	io.ReaderAt
	size int64
	at   int64        // where Read goes on
	room atomic.Int64 // bytes that may still be read
}

// readings is how often all bytes of an image may be read, and slack how many bytes more.
const (
	readings = 16
	slack    = 1 << 30
)

func newStorage(r io.ReaderAt, size int64) *storage {
	s := &storage{ReaderAt: r, size: size}
	s.room.Store(readings*size + slack)
	return s
}

// ReadAt implements io.ReaderAt.
func (s *storage) ReadAt(p []byte, off int64) (int, error) {
	if s.room.Add(-int64(len(p))) < 0 {
		return 0, errTooMuch
	}
	return s.ReaderAt.ReadAt(p, off)
}

// Read implements io.Reader.
func (s *storage) Read(p []byte) (int, error) {
	n, err := s.ReadAt(p, s.at)
	s.at += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (s *storage) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	s.at = offset
	return offset, nil
}

// Close does nothing: who opened the image closes it.
func (s *storage) Close() error { return nil }

// Sys tells that there is no file of the system behind it.
func (s *storage) Sys() (*os.File, error) { return nil, backend.ErrNotSuitable }

// Writable refuses.
func (s *storage) Writable() (backend.WritableFile, error) { return nil, backend.ErrIncorrectOpenMode }

// Path tells that it has no path.
func (s *storage) Path() string { return "" }

// Stat tells the size.
func (s *storage) Stat() (fs.FileInfo, error) { return info{s.size}, nil }

type info struct{ size int64 }

func (i info) Name() string     { return "image" }
func (i info) Size() int64      { return i.size }
func (info) Mode() fs.FileMode  { return 0o444 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }
