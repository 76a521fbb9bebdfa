package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

// script writes an executable file into a folder of checks.
func writeScript(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// Scripts as greenboot has them: one that is required fails the trial at once, one that is wanted is forgiven, and exit status 21
// is asked again.
func TestScripts(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	again := "echo x >>" + count + "; test $(wc -l <" + count + ") -ge 3 || { echo 'tills are still starting'; exit 21; }"
	for _, tt := range []struct {
		name, script string
		verdict      Verdict
		tries        int
		ok           bool
		message      string
	}{
		{"required.d/a", "exit 0", Pass, 1, true, ""},
		{"required.d/a", "echo no tills; exit 3", Fail, 1, false, "a exited with status 3: no tills (1 try in"},
		{"wanted.d/a", "echo no printer; exit 3", Fail, 1, true, "no printer"},
		{"required.d/a", again, Pass, 3, true, ""},
		{"required.d/a", "echo tills are still starting; exit 21", Fail, 0, false, "a exited with status 21: tills are still starting ("},
		{"required.d/a", again + "; exit 3", Fail, 3, false, "exited with status 3"},
	} {
		t.Run(tt.name+" "+tt.script, func(t *testing.T) {
			_ = os.Remove(count)
			dir := t.TempDir()
			writeScript(t, dir, tt.name, tt.script)
			checks, err := LoadDir(dir)
			if err != nil || len(checks) != 1 {
				t.Fatal(checks, err)
			}
			checks[0].Interval, checks[0].Timeout = 10*ms, 20000*ms
			if tt.tries == 0 {
				checks[0].Timeout = 1000 * ms // it tries until then
			}
			began := time.Now()
			results, ok, err := Run(t.Context(), checks, Env{})
			if err != nil {
				t.Fatal(err)
			}
			r := results[0]
			if r.Verdict != tt.verdict || ok != tt.ok || tt.tries > 0 && r.Tries != tt.tries || !strings.Contains(r.Message, tt.message) {
				t.Errorf("got ok %t, %+v", ok, r)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// The time of a check, and that of all together, holds, whatever a program leaves behind: a child in a session of
// its own that keeps the pipe open and heeds no signal that it may ignore.
func TestDeadlinesHold(t *testing.T) {
	const stray = "setsid sh -c 'trap \"\" HUP TERM INT; sleep 60' & "
	for _, tt := range []struct {
		name, script string
		verdict      Verdict
	}{
		{"it waits for its child", stray + "wait", Fail},
		{"it ends well", stray + "exit 0", Pass},
		{"it fails", stray + "exit 3", Fail},
		{"it ignores signals", "trap '' TERM HUP INT; " + stray + "sleep 60", Fail},
	} {
		for _, overall := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, overall %t", tt.name, overall), func(t *testing.T) {
				c := bundle.Check{Name: "c", Timeout: 2000 * ms, Interval: 50 * ms, Exec: &bundle.ExecCheck{Command: []string{"sh", "-c", tt.script}}}
				env := Env{}
				if overall {
					c.Timeout, env.Deadline = 60000*ms, time.Now().Add(2*time.Second)
				}
				began := time.Now()
				results, ok, err := Run(t.Context(), []bundle.Check{c, c}, env)
				if err != nil || results[0].Verdict != tt.verdict || ok != (tt.verdict == Pass) {
					t.Errorf("got %t, %+v, %v", ok, results, err)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("it took %s", took)
				}
				if overall && tt.verdict == Fail && !strings.HasPrefix(results[0].Message, "cut short, since the time for all checks was over: ") {
					t.Errorf("it says %q", results[0].Message)
				}
			})
		}
	}
}

// Once the time for all checks is over, none is good that was not asked; and patience with what is away ends then, too.
func TestDeadlineOfAllChecks(t *testing.T) {
	forgiven, required, delayed := kubernetes("forgiven"), kubernetes("required"), kubernetes("delayed")
	forgiven.Required = ptr(false)
	delayed.InitialDelay = bundle.Duration(time.Minute)
	for _, tt := range []struct {
		name   string
		checks []bundle.Check
		probe  Probe
		want   string
	}{
		{"one that is forgiven has taken it all", []bundle.Check{forgiven, required}, script(errBad),
			"fail cut short, since the time for all checks was over: 1 of 2 objects not ready; fail not asked: the time for all checks was over"},
		{"in the initial delay", []bundle.Check{delayed}, script(nil), "fail not asked: the time for all checks was over"},
		{"while nobody answers", []bundle.Check{required}, script(gone{errBad}), "error 1 of 2 objects not ready"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			results, ok, err := Run(t.Context(), tt.checks, Env{Kubernetes: tt.probe, Patience: time.Minute, Deadline: began.Add(200 * time.Millisecond)})
			if err != nil || ok {
				t.Fatal(ok, err)
			}
			wants := strings.Split(tt.want, "; ")
			for i, r := range results {
				if got := string(r.Verdict) + " " + r.Message; !strings.HasPrefix(got, wants[i]) {
					t.Errorf("check %d: %q, want %q", i, got, wants[i])
				}
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
