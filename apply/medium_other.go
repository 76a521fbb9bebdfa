//go:build !linux

package apply

import (
	"errors"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// remount is for Linux.
func remount(host.Mount, bool) error { return errors.ErrUnsupported }
