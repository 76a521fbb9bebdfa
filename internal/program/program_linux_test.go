package program

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// try runs a shell's script for so long at most, and tells how long it took.
func try(t *testing.T, limit time.Duration, script string) (*Error, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	err := Run(ctx, Command{Args: []string{"sh", "-c", script}})
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	return e, time.Since(began)
}

func pidIn(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// runs tells whether a process is there and not merely waiting to be reaped.
func runs(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// A program that ran out of time leaves nothing behind, be it in a session of its own, without a parent, or deaf to signals. What
// was begun without its parents' environment is not found; nobody waits for it all the same.
func TestNothingIsLeftBehind(t *testing.T) {
	for _, tt := range []struct {
		name, child string
		left        bool
	}{
		{"a child", "sleep 60", false},
		{"a session of its own", "setsid sleep 60", false},
		{"an orphan in a session of its own", "(setsid sh -c 'trap \"\" HUP TERM; echo $$ >$P; sleep 60' &)", false},
		{"without its environment", "env -i setsid sleep 60", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			e, took := try(t, time.Second, "P="+file+"; export P; "+tt.child+" & test -s $P || echo $! >$P; sleep 60")
			if e == nil || !e.Late || e.Status != -1 || !strings.Contains(e.Error(), "did not end in 1.") {
				t.Errorf("got %v", e)
			}
			if took > 1900*time.Millisecond {
				t.Errorf("it took %s", took)
			}
			pid := pidIn(t, file)
			time.Sleep(50 * time.Millisecond)
			if runs(pid) != tt.left {
				t.Errorf("its child runs: %t", !tt.left)
			}
			_ = syscall.Kill(pid, syscall.SIGKILL)
		})
	}
}

// A process that does not die, since the kernel holds it, is not waited for: one in a frozen cgroup of version 1 takes no signal.
func TestProcessThatDoesNotDie(t *testing.T) {
	group := filepath.Join("/sys/fs/cgroup/freezer", "sallyport-test-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("there is no freezer of version 1 that this test may use: %v", err)
	}
	freeze := func(state string) { _ = os.WriteFile(filepath.Join(group, "freezer.state"), []byte(state), 0o600) }
	t.Cleanup(func() {
		freeze("THAWED")
		for range 100 {
			if os.Remove(group) == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("%s is left", group)
	})
	ready := filepath.Join(t.TempDir(), "ready")
	go func() {
		for range 100 {
			if _, err := os.Stat(ready); err == nil {
				freeze("FROZEN")
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	e, took := try(t, time.Second, "echo $$ >"+group+"/cgroup.procs && : >"+ready+"; echo hangs; sleep 60")
	if e == nil || !e.Late || !strings.Contains(e.Error(), "does not die: the kernel holds process") || e.Last() != "hangs" {
		t.Errorf("got %v", e)
	}
	if took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestOutput(t *testing.T) {
	t.Setenv("SALLYPORT_TEST_LEAK", "1")
	var out bytes.Buffer
	err := Run(t.Context(), Command{Args: []string{"sh", "-c", `echo "$A$SALLYPORT_TEST_LEAK$PWD"; echo warning >&2`}, Env: []string{"A=b"}, Output: &out})
	if err != nil || out.String() != "b/\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	for script, want := range map[string]string{
		"echo out; echo first >&2; echo second >&2; exit 3": "sh exited with status 3: second",
		"kill -9 $$": "sh was ended by signal 9 (killed)",
	} {
		err := Run(t.Context(), Command{Args: []string{"sh", "-c", script}, Output: &out})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
	var e *Error
	if err := Run(t.Context(), Command{Args: []string{"no-such-program"}}); !errors.As(err, &e) || !e.Missing {
		t.Errorf("got %v", err)
	}
}
