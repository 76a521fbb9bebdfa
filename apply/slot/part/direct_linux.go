package part

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// fileSystem is what is asked of a file system.
type fileSystem struct {
	free, block   int64 // bytes
	readOnly, fat bool
}

// blocks is what a file of n bytes takes.
func (f fileSystem) blocks(n int64) int64 { return (n + f.block - 1) / f.block * f.block }

func fileSystemOf(dir string) (fileSystem, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fileSystem{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return fileSystem{free: int64(st.Bavail) * int64(st.Bsize), block: max(int64(st.Bsize), 1),
		readOnly: st.Flags&unix.ST_RDONLY != 0, fat: int64(st.Type) == unix.MSDOS_SUPER_MAGIC}, nil
}

// open opens a file, or a block device past the page cache where that can be done.
func open(path string, flags int) (f *os.File, direct bool, err error) {
	if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeDevice != 0 {
		f, err = os.OpenFile(path, flags|unix.O_DIRECT, 0)
		if !errors.Is(err, unix.EINVAL) {
			return f, err == nil, err
		}
	}
	f, err = os.OpenFile(path, flags, 0)
	return f, false, err
}

// readOnly asks a block device.
func readOnly(f *os.File) bool {
	v, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKROGET)
	return err == nil && v != 0
}

// sector is the smallest piece of a device that can be written, in bytes.
func sector(f *os.File) int {
	if v, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET); err == nil && v >= 512 && v <= unit && v&(v-1) == 0 {
		return v
	}
	return 512
}

// dropCache makes the next reader ask the medium, not memory. All must have been flushed.
func dropCache(f *os.File) {
	// A regular file knows no such request; either of the two is enough.
	_ = unix.IoctlSetInt(int(f.Fd()), unix.BLKFLSBUF, 0)
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// zeroOut lets a device write zeros by itself, as BLKZEROOUT does: what was there is overwritten, not given up.
func zeroOut(f *os.File, off, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_ZERO_RANGE|unix.FALLOC_FL_KEEP_SIZE, off, n)
}
