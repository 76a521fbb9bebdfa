package exec_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/exec"
	"github.com/sallyport-dev/sallyport/apply/slot/exec/exectest"
)

// around makes a loader whose program is a script that stands before a machine's own, which it finds in $real.
func around(t *testing.T, script string, timeout time.Duration) slot.Loader {
	t.Helper()
	m := exectest.NewMachine(t)
	path := filepath.Join(t.TempDir(), "tool")
	text := "#!/bin/sh\nreal=" + m.Program() + "\n" + script + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := exec.New(exec.Config{Command: []string{path}, Names: exectest.Names, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAnAnswerIsOneWord(t *testing.T) {
	for script, want := range map[string]string{
		// A line before the answer, as fw_printenv has it with a bad environment, makes neither line the answer.
		`[ $1 = get-primary ] && echo "Warning: bad CRC, using the default environment"; exec $real "$@"`: "one word and nothing else",
		`exec $real "$@" | sed 's/$/ (pending)/'`:                                                         "one word and nothing else",
		`$real "$@"; echo`:                                    "one word and nothing else",
		`[ $1 = get-primary ] || exec $real "$@"`:             "answers nothing",
		`[ $1 = get-state ] && echo ok || exec $real "$@"`:    "neither good nor bad",
		`[ $1 = get-primary ] && echo C || exec $real "$@"`:   `slot "C" is booted next`,
		`[ $1 = get-primary ] && yes || exec $real "$@"`:      "more than 4096 bytes",
		`[ $1 = get-primary ] && exit 3 || exec $real "$@"`:   "exited with status 3",
		`[ $1 = get-primary ] && kill -9 $$; exec $real "$@"`: "was ended by signal 9",
	} {
		l := around(t, script, 0)
		_, err := l.State(t.Context(), slot.A)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", script, err, want)
		}
		var unready *slot.UnreadyError
		if err := l.Ready(t.Context()); !errors.As(err, &unready) {
			t.Errorf("%s: ready: got %v", script, err)
		}
		if err := l.Disarm(t.Context(), slot.B); !errors.As(err, &unready) {
			t.Errorf("%s: disarm: got %v", script, err)
		}
		if _, err := l.Arm(t.Context(), slot.B); err == nil {
			t.Errorf("%s: armed", script)
		}
	}
}

func TestMessagesAreNoAnswer(t *testing.T) {
	l := around(t, `echo "Warning: something" >&2; exec $real "$@"`, 0)
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Disarm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if reboot, err := l.Arm(t.Context(), slot.B); err != nil || !reboot {
		t.Errorf("%t, %v", reboot, err)
	}
}

// TestALieIsFound has tools that end well and did something else, or badly and did it.
func TestALieIsFound(t *testing.T) {
	for script, want := range map[string]string{
		`[ $1 = set-primary ] || exec $real "$@"`:                                       "was told that slot B is primary, A is good and B is good, and says that slot A is primary",
		`[ $1 = set-primary ] && $real set-state A bad; exec $real "$@"`:                "says that slot B is primary, A is bad and B is good",
		`[ $1 = set-primary ] && exec $real set-primary A; exec $real "$@"`:             "says that slot A is primary",
		`[ $1 = set-primary ] && { $real "$@"; echo no >&2; exit 1; }; exec $real "$@"`: "exited with status 1: no",
	} {
		_, err := around(t, script, 0).Arm(t.Context(), slot.B)
		isError(t, script, err, want)
	}
	for script, want := range map[string]string{
		`[ $1$3 = set-statebad ] || exec $real "$@"`:         "was told that slot A is primary, A is good and B is bad",
		`[ $1$2 = set-primaryA ] && exit 1; exec $real "$@"`: "exited with status 1",
	} {
		l := around(t, script, 0)
		if _, err := l.Arm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
		isError(t, script, l.Disarm(t.Context(), slot.B), want)
	}
}

// isError wants an error that says what is wrong and what to do.
func isError(t *testing.T, script string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want %q", script, err, want)
		return
	}
	var typed interface {
		Hint() string
		Reason() string
	}
	if !errors.As(err, &typed) || typed.Hint() == "" || typed.Reason() != "loader" {
		t.Errorf("%s: the error says nothing of what to do: %v", script, err)
	}
}

func TestAToolThatDoesNothingIsNotReady(t *testing.T) {
	l := around(t, `case $1 in set-*) exit 0 ;; esac; exec $real "$@"`, 0)
	var unready *slot.UnreadyError
	if _, err := l.Arm(t.Context(), slot.B); !errors.As(err, &unready) {
		t.Errorf("got %v", err)
	}
}

// TestTimeIsBounded also has a child that holds the pipe in a session of its own.
func TestTimeIsBounded(t *testing.T) {
	for script, want := range map[string]string{
		`sleep 60`: "did not end in ",
		`[ $1 = get-primary ] && { setsid sleep 60 & exit 1; }; exec $real "$@"`: "exited with status 1",
	} {
		l := around(t, script, 2*time.Second)
		began := time.Now()
		if _, err := l.State(t.Context(), slot.A); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", script, err, want)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: took %s", script, took)
		}
	}
}

// TestAQuestionIsBrokenOff has somebody who loses patience.
func TestAQuestionIsBrokenOff(t *testing.T) {
	l := around(t, `sleep 60`, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := l.Running(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestProgram(t *testing.T) {
	if _, err := exec.New(exec.Config{}); err == nil {
		t.Error("no program is a loader")
	}
	for _, name := range []string{"no-such-tool", "./tool", "/no/such/tool", "/"} {
		l, err := exec.New(exec.Config{Command: []string{name}, Names: exectest.Names})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
