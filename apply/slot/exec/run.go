package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

const (
	// searchPath is where a plain name is looked for: the answer is the same from a terminal, a timer and a boot unit.
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// maxOutput bounds what a call may print, of each kind.
	maxOutput = 4096
	// killGrace is how long output may still be read once the program is gone: a child of its own may hold the pipe.
	killGrace = time.Second
	// maxMessage bounds what of the messages an error repeats.
	maxMessage = 200
)

var errLong = errors.New("that is too much")

// run makes one call and returns what it printed.
func (t tool) run(caller context.Context, verb []string) (string, error) {
	ctx, cancel := context.WithTimeout(caller, t.Timeout)
	defer cancel()
	path, err := find(t.Command[0])
	if err != nil {
		return "", err
	}
	var stdout bounded
	var stderr tail
	cmd := exec.CommandContext(ctx, path, append(t.Command[1:len(t.Command):len(t.Command)], verb...)...)
	cmd.Args[0] = t.Command[0]
	cmd.Env = []string{"PATH=" + searchPath, "LANG=C.UTF-8", "HOME=/root"}
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killGrace
	err = cmd.Run()
	fail := func(what string) error {
		return fmt.Errorf("%s %s %s%s", t.Command[0], strings.Join(verb, " "), what, stderr.message())
	}
	switch state := cmd.ProcessState; {
	case stdout.over:
		return "", fail(fmt.Sprintf("prints more than %d bytes", maxOutput))
	case state == nil:
		return "", fail("could not be run: " + err.Error())
	case state.Success():
		return stdout.String(), nil // whatever a child of its own still does
	case caller.Err() != nil:
		return "", caller.Err()
	case ctx.Err() != nil && !state.Exited():
		return "", fail("did not end in " + t.Timeout.String() + " and was killed")
	}
	return "", fail("ended with " + cmd.ProcessState.String())
}

// find looks along searchPath, not along the caller's path.
func find(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	if !strings.Contains(name, "/") {
		for _, dir := range filepath.SplitList(searchPath) {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("program %s is not in %s", name, searchPath)
}

// bounded keeps what is printed, up to a bound; a program that prints more is cut off.
type bounded struct {
	buf  []byte
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.buf)+len(p) > maxOutput {
		b.over = true
		return 0, errLong
	}
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *bounded) String() string { return string(b.buf) }

// tail keeps the end of what is printed.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - maxOutput; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// message is the last line, ready to follow a sentence.
func (t *tail) message() string {
	text := strings.TrimSpace(string(t.buf))
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	if text = oneline.Clean(text, maxMessage); text == "" {
		return ""
	}
	return ": " + text
}
