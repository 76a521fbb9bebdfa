package apply

import (
	"context"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// shutdownTime bounds how long an orderly shutdown may take before the kernel is told to boot at once.
const shutdownTime = 3 * time.Minute

// rebootMachine asks systemd for an orderly shutdown and, where there is none or it hangs, flushes all file systems and has the
// kernel boot at once (reboot(2)).
func rebootMachine(ctx context.Context) error {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		if err := exec.CommandContext(ctx, "systemctl", "reboot").Run(); err == nil {
			select {
			case <-ctx.Done(): // a shutdown ends this program
				return context.Cause(ctx)
			case <-time.After(shutdownTime):
			}
		}
	}
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}
