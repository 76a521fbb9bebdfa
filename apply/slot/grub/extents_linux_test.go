package grub

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// onDisk is a file on a disk's file system: those in memory have neither holes of this size nor maps.
func onDisk(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "grubenv"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestExtents(t *testing.T) {
	f := onDisk(t)
	if _, err := f.Write(bytes.Repeat([]byte("#"), blockSize)); err != nil {
		t.Fatal(err)
	}
	if err := checkExtents(f); err != nil {
		t.Errorf("a written file: %v", err)
	}
	if err := checkHoles(f); err != nil {
		t.Errorf("a written file: %v", err)
	}
	sparse := onDisk(t)
	if err := sparse.Truncate(blockSize); err != nil {
		t.Fatal(err)
	}
	if err := checkExtents(sparse); !errors.Is(err, errSparse) {
		t.Errorf("a file of one hole: %v", err)
	}
	if err := checkHoles(sparse); !errors.Is(err, errSparse) {
		t.Errorf("a file of one hole: %v", err)
	}
}

func TestExtentsReservedOnly(t *testing.T) {
	f := onDisk(t)
	if err := unix.Fallocate(int(f.Fd()), 0, 0, blockSize); err != nil {
		t.Skipf("the file system of %s reserves nothing: %v", f.Name(), err)
	}
	if err := checkMap(f); unsupported(err) {
		t.Skipf("the file system of %s tells no map", f.Name())
	}
	if err := checkExtents(f); err == nil {
		t.Error("blocks that were never written are taken for some that GRUB reads")
	}
}

func TestFileFlags(t *testing.T) {
	f := onDisk(t)
	if _, err := f.Write(bytes.Repeat([]byte("#"), blockSize)); err != nil {
		t.Fatal(err)
	}
	const immutable = 0x10
	set := func(flags int) error { return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags) }
	before, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = set(before | immutable)
	}
	if err != nil {
		t.Skipf("cannot set attributes here: %v", err)
	}
	defer set(before)
	if err := checkExtents(f); err == nil {
		t.Error("an immutable file can be written")
	}
}
