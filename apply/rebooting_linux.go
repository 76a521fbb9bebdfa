package apply

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/internal/program"
)

const (
	// rebootAskTime bounds how long systemd may take to hear of it.
	rebootAskTime = 30 * time.Second
	// flushTime bounds how long the flush of all file systems is waited for.
	flushTime = 30 * time.Second
)

// rebootMachine asks systemd for an orderly shutdown and, where there is none or it hangs, flushes all file systems and has the
// kernel boot at once (reboot(2)).
func rebootMachine(ctx context.Context) error {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		asking, cancel := context.WithTimeout(ctx, rebootAskTime)
		err := program.Run(asking, program.Command{Args: []string{"systemctl", "reboot"}})
		cancel()
		if err == nil {
			select {
			case <-ctx.Done(): // a shutdown ends this program
				return context.Cause(ctx)
			case <-time.After(shutdownTime):
			}
		}
	}
	flushed := make(chan struct{})
	go func() {
		unix.Sync()
		close(flushed)
	}()
	select {
	case <-flushed:
	case <-time.After(flushTime): // a file system that does not answer must not keep the machine from booting
	}
	return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}
