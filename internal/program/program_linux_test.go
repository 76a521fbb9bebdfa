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

// try runs a shell's script until it is ready, that is, until there is something in the file, and tells how long it ran on
// after its time was over then.
func try(t *testing.T, file, script string, ready func()) (*Error, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan time.Time, 1)
	go func() {
		defer cancel()
		for st, err := os.Stat(file); (err != nil || st.Size() == 0) && ctx.Err() == nil; st, err = os.Stat(file) {
			time.Sleep(5 * time.Millisecond)
		}
		ready()
		over <- time.Now()
	}()
	err := Run(ctx, Command{Args: []string{"sh", "-c", script}})
	cancel()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	return e, time.Since(<-over)
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
		{"a child", "sh -c 'echo $$ >$P; exec sleep 60' &", false},
		{"a session of its own", "setsid sh -c 'echo $$ >$P; exec sleep 60' &", false},
		{"an orphan in a session of its own", "(setsid sh -c 'trap \"\" HUP TERM; echo $$ >$P; sleep 60' &);", false},
		{"without its environment", "env -i P=$P setsid sh -c 'echo $$ >$P; exec sleep 60' &", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			e, took := try(t, file, "P="+file+"; export P; "+tt.child+" sleep 60", func() {})
			if e == nil || !e.Late || e.Status != -1 || !strings.Contains(e.Error(), "did not end in ") {
				t.Errorf("got %v", e)
			}
			if took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			pid := pidIn(t, file)
			for end := time.Now().Add(10 * time.Second); !tt.left && runs(pid) && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond) // it takes a moment to die
			}
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
	e, took := try(t, ready, "echo $$ >"+group+"/cgroup.procs && echo hangs && echo yes >"+ready+"; sleep 60", func() { freeze("FROZEN") })
	if e == nil || !e.Late || !strings.Contains(e.Error(), "does not die: the kernel holds process") || e.Last() != "hangs" {
		t.Errorf("got %v", e)
	}
	if took > 20*time.Second {
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
