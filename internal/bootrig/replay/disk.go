package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Disk is a disk's content, of which only what is changed takes memory.
type Disk struct{ data []byte }

// OpenDisk takes a file as the content to begin with. The file is not changed, and must not be while the Disk is used.
func OpenDisk(file string) (*Disk, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", file, err)
	}
	return &Disk{data}, nil
}

// Close gives the memory back.
func (d *Disk) Close() error { return syscall.Munmap(d.data) }

// Slice is a part of the content, to be read only and until the next change.
func (d *Disk) Slice(offset, size int64) []byte { return d.data[offset : offset+size] }

// ReadAt reads the content.
func (d *Disk) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset >= int64(len(d.data)) {
		return 0, io.EOF
	}
	n := copy(p, d.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Save writes the content to a file, with holes where there are zeros.
func (d *Disk) Save(file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const chunk = 64 << 10
	var zero [chunk]byte
	for at := 0; at < len(d.data); at += chunk {
		part := d.data[at:min(at+chunk, len(d.data))]
		if string(part) == string(zero[:len(part)]) {
			continue
		}
		if _, err := f.WriteAt(part, int64(at)); err != nil {
			return err
		}
	}
	return f.Truncate(int64(len(d.data)))
}

// Is tells whether a file has the same content.
func (d *Disk) Is(file string) (bool, error) {
	other, err := OpenDisk(file)
	if err != nil {
		return false, err
	}
	return bytes.Equal(d.data, other.data), other.Close()
}

// write changes the content, and returns what was there.
func (d *Disk) write(p []byte, offset int64) (before []byte, err error) {
	if offset < 0 || offset+int64(len(p)) > int64(len(d.data)) {
		return nil, fmt.Errorf("a write of %d bytes at %d lies beyond the disk's %d", len(p), offset, len(d.data))
	}
	before = append(before, d.data[offset:offset+int64(len(p))]...)
	copy(d.data[offset:], p)
	return before, nil
}
