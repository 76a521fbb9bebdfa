package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// Checks give the same answer from a terminal, a timer and a boot unit, so they see none of the caller's environment.
const execPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// killGrace is how long output may still be read once the program is gone: a child of its own may hold the pipe.
const killGrace = time.Second

// newExecProbe runs a program, without a shell, in a process group of its own.
func newExecProbe(command, environ []string) (Probe, error) {
	path, err := findProgram(command[0])
	if err != nil {
		return nil, err
	}
	env := append([]string{"PATH=" + execPath, "LANG=C.UTF-8", "HOME=/"}, environ...)
	return func(ctx context.Context) error {
		out := &tail{}
		cmd := exec.CommandContext(ctx, path, command[1:]...)
		cmd.Args[0] = command[0]
		cmd.Env, cmd.Dir = env, "/"
		cmd.Stdout, cmd.Stderr = out, out
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = killGrace
		began := time.Now()
		err := cmd.Run()
		if cmd.ProcessState != nil && cmd.ProcessState.Success() {
			return nil // whatever a child of its own still does
		}
		return fmt.Errorf("%s %s%s", command[0], ending(ctx, cmd.ProcessState, err, time.Since(began)), out.lastLine())
	}, nil
}

// ending says how a program ended that did not end well. Without a state it did not begin.
func ending(ctx context.Context, state *os.ProcessState, err error, took time.Duration) string {
	switch {
	case state != nil && state.Exited():
		return fmt.Sprintf("exited with status %d", state.ExitCode())
	case ctx.Err() != nil:
		return fmt.Sprintf("did not end in %s and was killed", seconds(took))
	case state == nil:
		return fmt.Sprintf("could not be run: %v", err)
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return fmt.Sprintf("was ended by signal %d (%s)", ws.Signal(), ws.Signal())
	}
	return fmt.Sprintf("ended badly: %v", err)
}

// findProgram looks along execPath, not along the caller's PATH.
func findProgram(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, runnable(name)
	}
	for _, dir := range filepath.SplitList(execPath) {
		if p := filepath.Join(dir, name); runnable(p) == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("program %s is not in %s", name, execPath)
}

func runnable(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("program %s must be a plain name or an absolute path", path)
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("program %s does not exist", path)
	case err != nil:
		return err
	case !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("program %s is not executable", path)
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct{ buf []byte }

const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > tailSize {
		p = p[len(p)-tailSize:]
	}
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return n, nil
}

// lastLine is the last line with anything in it, ready to follow a sentence.
func (t *tail) lastLine() string {
	lines := bytes.Split(t.buf, []byte("\n"))
	for i := len(lines) - 1; i >= 0; i-- {
		if s := oneline.Clean(string(lines[i]), maxMessage); s != "" {
			return ": " + s
		}
	}
	return ""
}
