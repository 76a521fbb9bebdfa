//go:build !linux

package uboot

import (
	"errors"
	"io/fs"
	"os"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

func dropCache(*os.File) error { return nil }

func lockedBlockDevice(host.Host, fs.FileInfo) error { return nil }

func openFlash(string, place) (medium, error) {
	return nil, errors.New("raw flash can be read on Linux only")
}
