//go:build !linux

package part

import (
	"errors"
	"os"
)

// Sites run Linux: here is what the package's users need to be built elsewhere.

type fileSystem struct {
	free, block   int64
	readOnly, fat bool
}

func (f fileSystem) blocks(n int64) int64 { return n }

func fileSystemOf(string) (fileSystem, error) { return fileSystem{}, errors.ErrUnsupported }

func open(path string, flags int) (f *os.File, direct bool, err error) {
	f, err = os.OpenFile(path, flags, 0)
	return f, false, err
}

func readOnly(*os.File) bool { return false }

func sector(*os.File) int { return 512 }

func dropCache(*os.File) {}

func zeroOut(*os.File, int64, int64) error { return errors.ErrUnsupported }
