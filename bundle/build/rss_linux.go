package build

import (
	"bufio"
	"fmt"
	"os"
)

// peakRSS is the most memory that the process has had, in bytes; 0 if the system does not tell. It is the figure of the
// program's own memory (proc_pid_status(5), VmHWM): that of getrusage(2) counts what the process held before it became this
// program, so a build that a large CI runner starts would report the runner.
func peakRSS() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int64
		if _, err := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}
