package uboot

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// mtdInfo is struct mtd_info_user of the kernel's mtd-abi.h.
type mtdInfo struct {
	kind                                uint8
	flags                               uint32
	size, eraseSize, writeSize, oobSize uint32
	_                                   uint64
}

// eraseInfo is struct erase_info_user.
type eraseInfo struct{ start, length uint32 }

// openFlash finds out what kind of flash a character device is.
func openFlash(h host.Host, path string, p place) (medium, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if ubiNode.MatchString(filepath.Base(path)) {
		return &ubi{plain{path: path, place: p, host: h}}, nil
	}
	var info mtdInfo
	if err := ioctl(f, unix.MEMGETINFO, unsafe.Pointer(&info)); err != nil {
		return nil, fmt.Errorf("%s is no raw flash: %w", p.device, err)
	}
	var s scheme
	switch info.kind {
	case unix.MTD_NORFLASH, unix.MTD_DATAFLASH:
		s = activity
	case unix.MTD_NANDFLASH, unix.MTD_MLCNANDFLASH:
		s = counter
	default:
		return nil, fmt.Errorf("%s is flash of the kind %d, of which it is not known how U-Boot counts on it", p.device, info.kind)
	}
	nand := s == counter
	return newFlash(p, int64(info.size), int64(info.eraseSize), s, func(write bool) (chip, error) {
		if write && info.flags&unix.MTD_WRITEABLE == 0 {
			return nil, fmt.Errorf("%s is flash that the kernel takes no writes to", p.device)
		}
		mode := os.O_RDONLY
		if write {
			mode = os.O_RDWR
		}
		f, err := os.OpenFile(path, mode, 0)
		if err != nil {
			return nil, err
		}
		return &mtd{f, nand}, nil
	})
}

// mtd is a chip of the kernel's. Its writes do not return before they are on the flash.
type mtd struct {
	*os.File
	nand bool
}

func (m *mtd) bad(off int64) (bool, error) {
	if !m.nand {
		return false, nil
	}
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, m.Fd(), unix.MEMGETBADBLOCK, uintptr(unsafe.Pointer(&off)))
	if errno != 0 {
		return false, errno
	}
	return n != 0, nil
}

func (m *mtd) erase(off, n int64) error { return m.range32(unix.MEMERASE, off, n) }

func (m *mtd) lock(off, n int64) error { return m.range32(unix.MEMLOCK, off, n) }

// unlock asks first: unlocking one block of some chips unlocks all. Of a chip that cannot tell, most have no locks, and an erasure
// tells of the others.
func (m *mtd) unlock(off, n int64) (was bool, err error) {
	e := eraseInfo{uint32(off), uint32(n)}
	locked, _, errno := unix.Syscall(unix.SYS_IOCTL, m.Fd(), unix.MEMISLOCKED, uintptr(unsafe.Pointer(&e)))
	if errno == 0 && locked == 0 {
		return false, nil
	}
	err = m.range32(unix.MEMUNLOCK, off, n)
	if errno != 0 {
		return false, nil
	}
	return err == nil, err
}

func (m *mtd) range32(request uintptr, off, n int64) error {
	e := eraseInfo{uint32(off), uint32(n)}
	return ioctl(m.File, request, unsafe.Pointer(&e))
}

func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
