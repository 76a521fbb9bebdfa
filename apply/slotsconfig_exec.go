package apply

import (
	"fmt"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/exec"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const backendExec = "exec"

// ExecConfig says which program speaks for a boot loader that this program does not know.
type ExecConfig struct {
	// Command is the program, an absolute path or a plain name, and what stands before the verb.
	Command []string `json:"command"`
}

func checkExec(s *SlotsConfig, fail failFunc) {
	const field = "spec.slots.exec.command"
	noTries(s, "the program", fail)
	switch {
	case s.Exec == nil || len(s.Exec.Command) == 0 || s.Exec.Command[0] == "":
		fail(field, "is missing", "name the program that speaks for the boot loader, as in exec: {command: [/usr/local/sbin/slots]}")
	case strings.Contains(s.Exec.Command[0], "/") && !strings.HasPrefix(s.Exec.Command[0], "/"):
		fail(field, fmt.Sprintf("%q is neither an absolute path nor a plain name", s.Exec.Command[0]), "write the program's absolute path")
	}
}

// noTries refuses a number of tries that the loader would not hear of.
func noTries(s *SlotsConfig, counter string, fail failFunc) {
	if s.Tries != 0 {
		fail("spec.slots.tries", fmt.Sprintf("is %d, and it is %s that counts", s.Tries, counter), "remove it, and set it there")
	}
}

func openExec(s *SlotsConfig, names slot.BootNames, _ host.Host, disk durable.Disk) (slot.Loader, error) {
	return exec.New(exec.Config{Command: s.Exec.Command, Names: names, Disk: disk})
}
