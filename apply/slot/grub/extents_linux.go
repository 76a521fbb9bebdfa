package grub

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// checkExtents wants the bytes of the block to lie on the disk where GRUB's block lists say, and to stay there.
func checkExtents(f *os.File) error {
	if err := checkFlags(f); err != nil {
		return err
	}
	err := checkMap(f)
	if unsupported(err) {
		return checkHoles(f)
	}
	return err
}

func unsupported(err error) bool {
	return errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)
}

// The flags of FS_IOC_GETFLAGS (linux/fs.h) of a file whose bytes are not, or not alone, where GRUB looks for them, or that cannot
// be written.
var fileFlags = []struct {
	flag int
	text string
}{
	{0x10, "it has the attribute immutable (chattr -i takes it away)"},
	{0x20, "it has the attribute append-only (chattr -a takes it away)"},
	{0x4, "it is compressed"},
	{0x800, "it is encrypted"},
	{0x4000, "its bytes go through the journal, which GRUB does not read (chattr -j ends that)"},
	{0x10000000, "its bytes lie in the inode, where GRUB cannot write"},
}

func checkFlags(f *os.File) error {
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if unsupported(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, k := range fileFlags {
		if flags&k.flag != 0 {
			return errors.New(k.text)
		}
	}
	return nil
}

const (
	fiemapIoctl = 0xc020660b // FS_IOC_FIEMAP
	fiemapSync  = 0x1
	// maxExtents is how many pieces 1024 bytes can have: a file system's blocks are no smaller than a sector.
	maxExtents = blockSize / atomicSize
)

// fiemap is struct fiemap of linux/fiemap.h, with its extents behind it.
type fiemap struct {
	start, length           uint64
	flags, mapped, count, _ uint32
	extents                 [maxExtents]fiemapExtent
}

type fiemapExtent struct {
	logical, physical, length uint64
	_                         [2]uint64
	flags                     uint32
	_                         [3]uint32
}

// The flags of an extent that GRUB can write in place: the last one, and one that was joined from several blocks.
const fiemapHarmless = 0x1 | 0x1000

var extentFlags = []struct {
	flag uint32
	text string
}{
	{0x2000, "its blocks are shared with another file, so that they move when they are written"},
	{0x800, "its blocks were reserved and never written, which is a hole for GRUB"},
	{0x200, "its bytes lie in the inode, where GRUB cannot write"},
	{0x8 | 0x80, "it is compressed or encrypted"},
}

// checkMap asks the file system where the blocks are.
func checkMap(f *os.File) error {
	m := fiemap{length: blockSize, flags: fiemapSync, count: maxExtents}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fiemapIoctl, uintptr(unsafe.Pointer(&m))); errno != 0 {
		return errno
	}
	var end uint64
	for _, e := range m.extents[:min(m.mapped, maxExtents)] {
		if e.logical > end {
			break
		}
		for _, k := range extentFlags {
			if e.flags&k.flag != 0 {
				return errors.New(k.text)
			}
		}
		if e.flags&^uint32(fiemapHarmless) != 0 {
			return fmt.Errorf("its blocks have no fixed place on the disk (flags %#x)", e.flags)
		}
		end = e.logical + e.length
	}
	if end < blockSize {
		return errSparse
	}
	return nil
}

var errSparse = errors.New("it has a hole, which GRUB cannot fill")

// checkHoles looks for holes where the file system does not tell where blocks are.
func checkHoles(f *os.File) error {
	hole, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_HOLE)
	if unsupported(err) {
		return nil
	}
	if err == nil && hole < blockSize {
		err = errSparse
	}
	_, back := f.Seek(0, io.SeekStart)
	return errors.Join(err, back)
}
