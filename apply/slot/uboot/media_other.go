//go:build !linux

package uboot

import (
	"errors"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

func openFlash(host.Host, string, place) (medium, error) {
	return nil, errors.New("raw flash can be read on Linux only")
}
