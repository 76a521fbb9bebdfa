// Package program runs the programs that a site or a release names, such as checks and hooks: without a shell, in a small
// fixed environment, and never for longer than they are given.
//
// That holds against everything that a program can do: children that outlive it and keep its output open, children that are in
// a session of their own, and a process that does not die of SIGKILL because the kernel holds it.
package program

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// grace is how long output is still read once the program is gone, since a child of its own may hold the pipe, and how
	// long one that was killed may take to die.
	grace = 250 * time.Millisecond
	// mark is the variable by which whatever descends from a program is found.
	mark = "SALLYPORT_PROGRAM"
)

// Command is a program to be run.
type Command struct {
	// Args are its name, a plain one or an absolute path, and its arguments.
	Args []string
	// Env is added to the small fixed environment.
	Env []string
	// Output, if set, gets what it writes to standard output; the end of standard error is always kept for the message.
	Output io.Writer
}

// Error is a program that did not end well.
type Error struct {
	Name string
	// Status is its exit status; -1 if it did not begin or was ended by a signal.
	Status int
	// Late tells that the context ended before the program did.
	Late bool
	// Missing tells that there is no such program here.
	Missing bool

	how  string
	last string // the last line of what it wrote
}

func (e *Error) Error() string {
	if e.last != "" {
		return e.Name + " " + e.how + ": " + e.last
	}
	return e.Name + " " + e.how
}

// Last is the last line that the program wrote; it may be empty.
func (e *Error) Last() string { return e.last }

// Run runs a program until it has ended or ctx has. It is an *Error if the program does not exit with status 0. When ctx ends
// first, all that descends from the program is killed, and Run returns at once, whether or not it dies.
func Run(ctx context.Context, c Command) error {
	path, err := Find(c.Args[0])
	if err != nil {
		return &Error{Name: c.Args[0], Status: -1, Missing: true, how: "cannot be run", last: err.Error()}
	}
	out := &tail{}
	token := rand.Text()
	cmd := exec.CommandContext(ctx, path, c.Args[1:]...)
	cmd.Args[0] = c.Args[0]
	cmd.Env = append(append([]string{"PATH=" + Path, "LANG=C.UTF-8", "HOME=/"}, c.Env...), mark+"="+token)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = out, out
	if c.Output != nil {
		cmd.Stdout = c.Output
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return end(cmd.Process.Pid, token) }
	cmd.WaitDelay = grace
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return &Error{Name: c.Args[0], Status: -1, Late: ctx.Err() != nil, how: fmt.Sprintf("could not be run: %v", err)}
	}
	return wait(ctx, cmd, out, began)
}

// wait returns when the program has ended, or when it should long have. A process that the kernel holds is left to it.
func wait(ctx context.Context, cmd *exec.Cmd, out *tail, began time.Time) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		over := time.NewTimer(3 * grace)
		defer over.Stop()
		select {
		case err = <-ended:
		case <-over.C:
			return &Error{Name: cmd.Args[0], Status: -1, Late: true, last: out.lastLine(),
				how: fmt.Sprintf("did not end in %s and does not die: the kernel holds process %d", spell(time.Since(began)), cmd.Process.Pid)}
		}
	}
	if cmd.ProcessState.Success() {
		return nil // whatever a child of its own still does
	}
	e := &Error{Name: cmd.Args[0], Status: -1, Late: ctx.Err() != nil, last: out.lastLine()}
	e.how = e.ending(cmd.ProcessState, err, time.Since(began))
	return e
}

// ending says how a program ended that did not end well.
func (e *Error) ending(state *os.ProcessState, err error, took time.Duration) string {
	if state.Exited() {
		e.Status, e.Late = state.ExitCode(), false
		return fmt.Sprintf("exited with status %d", e.Status)
	}
	if e.Late {
		return fmt.Sprintf("did not end in %s and was killed", spell(took))
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return fmt.Sprintf("was ended by signal %d (%s)", ws.Signal(), ws.Signal())
	}
	return fmt.Sprintf("ended badly: %v", err)
}

// end kills the program's process group, and whatever else descends from it.
func end(pid int, token string) error {
	err := syscall.Kill(-pid, syscall.SIGKILL)
	for _, stray := range descendants(mark + "=" + token) {
		_ = syscall.Kill(stray, syscall.SIGKILL) // it may have ended by itself
	}
	return err
}

// spell prints a duration in seconds.
func spell(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
