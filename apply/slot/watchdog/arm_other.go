//go:build !linux

package watchdog

import (
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Arm is for Linux only, as sites are.
func Arm(host.Host, time.Duration, time.Duration) (time.Duration, error) { return 0, ErrNone }
