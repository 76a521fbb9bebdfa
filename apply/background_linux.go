package apply

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	niceness      = 19
	ioIdle        = 3 << 13 // IOPRIO_CLASS_IDLE
	ioNone        = 0       // the class follows the niceness
	ofThread      = 1       // IOPRIO_WHO_PROCESS
	myTasks       = "/proc/self/task"
	newThreadsToo = 2 // rounds: a thread may begin another one while the first round is under way
)

// inBackground puts this process behind all others, for processor and disk, until the function that it returns is called. Only root may
// come back from there, so for others it does nothing.
func inBackground() (back func()) {
	if os.Geteuid() != 0 {
		return func() {}
	}
	before, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return func() {}
	}
	setPriority(niceness, ioIdle)
	return func() { setPriority(20-before, ioNone) } // the system call gives 20 less the niceness
}

// setPriority is for each thread of this process: a kernel knows priorities of threads only.
func setPriority(nice, io int) {
	for range newThreadsToo {
		tasks, err := os.ReadDir(myTasks)
		if err != nil {
			return
		}
		for _, t := range tasks {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			// What a machine refuses it does without.
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, nice)
			_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ofThread, uintptr(id), uintptr(io))
		}
	}
}
