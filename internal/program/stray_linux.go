package program

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// maxEnviron bounds what is read of a process's environment.
const maxEnviron = 256 << 10

// descendants are the processes that began with a variable, wherever they are now: children inherit it, in a session of their
// own and after their parents have gone, too. One that was begun without its parent's environment is not found.
func descendants(variable string) []int {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err == nil && pid != os.Getpid() && began(d.Name(), variable) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// began tells whether a process was begun with the variable; false of one that is gone or another user's.
func began(pid, variable string) bool {
	f, err := os.Open(filepath.Join("/proc", pid, "environ"))
	if err != nil {
		return false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxEnviron))
	return err == nil && bytes.Contains(b, []byte(variable))
}
