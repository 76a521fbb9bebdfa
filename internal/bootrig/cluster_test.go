//go:build boot

package bootrig

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// One machine with a Kubernetes API lives through updates of its operating system and its objects, one after the other, since the API
// takes long to answer after each boot. Whatever happens, the objects there are those of the release whose slot runs.
func TestCluster(t *testing.T) {
	t.Parallel()
	w := workshop(t)
	var err error
	if w.Cluster, err = NewCluster(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	y := newYard(t, w, GRUB(), []Scenario{{Needs: []string{Panics, Sick, Headless, Good}}}, nil)
	m, err := y.Machine(t.Context(), filepath.Join(t.TempDir(), "machine"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Switch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Off()
	for _, s := range clusterLife() {
		t.Run(s.Name, func(t *testing.T) {
			begin := time.Now()
			r.Say = func(format string, args ...any) {
				t.Logf("%5.1f s  "+format, append([]any{time.Since(begin).Seconds()}, args...)...)
			}
			if err := s.Play(r); err != nil {
				t.Fatalf("%s: %v\n%s\n%s", s.Name, err, r.Console(), clusterLog(r))
			}
		})
		if t.Failed() {
			return // the next one begins where this one did not end
		}
	}
}

// clusterLife is what the machine lives through.
func clusterLife() []Scenario {
	var revision string
	committed := Want{Phase: "idle", Current: Good, Slot: away, Result: "committed"}
	return []Scenario{
		{Name: "first", Play: steps(firstUp, answers, is(Want{Phase: "idle", Current: First, Slot: home, Result: "committed"}))},
		// The kernel panics before anything could be told to the API: the object was written by the way back at most, which finds it right.
		{Name: "panic", Play: steps(noteRevision(&revision), arm(Panics), boots(home, First), confirms(5, "rolledBack"),
			is(atHome("tries used up")), revisionMoved(&revision, false), verb(4, "bad", "apply", Bundle(Panics)))},
		// The new objects are on the API when the check fails.
		{Name: "failing check", Play: steps(noteRevision(&revision), arm(Sick), boots(away, Sick), boots(home, First), confirms(5, "rolledBack"),
			is(atHome("sick")), revisionMoved(&revision, true), verb(4, "bad", "apply", Bundle(Sick)))},
		// The new operating system starts no cluster, so nobody can say that it is well: the trial ends by its deadline, with one try taken.
		{Name: "no cluster", Play: steps(deadline(headlessDeadline*time.Second), arm(Headless), boots(away, Headless), boots(home, First),
			confirms(5, "rolledBack"), is(atHome("its trial had to end within 1m15s of the boot")), deadline(clusterTime), verb(4, "bad", "apply", Bundle(Headless)))},
		{Name: "commit", Play: steps(noteRevision(&revision), verb(0, "armed", "apply", Bundle(Good)), is(Want{Phase: "armed", Current: First, Slot: home}),
			revisionMoved(&revision, false), reboot, boots(away, Good), confirms(0, "committed"), is(committed),
			revisionMoved(&revision, true), verb(0, "nothing", "apply", Bundle(Good)))},
		{Name: "rollback", Play: steps(verb(0, "armed", "rollback"), is(Want{Phase: "armed", Current: Good, Slot: away}), reboot, boots(home, First),
			confirms(0, "rolledBack"), is(Want{Phase: "idle", Current: First, Slot: home, Result: "rolledBack"}))},
	}
}

// readRevision is the revision of the object that every release has.
func readRevision(r *Running) (string, error) {
	a, err := r.Run(clusterReader, "revision")
	if err == nil && (a.Exit != 0 || strings.TrimSpace(a.Out) == "") {
		err = fmt.Errorf("reading the object's revision: exit %d: %s%s", a.Exit, a.Out, a.Err)
	}
	return a.Out, err
}

func noteRevision(to *string) func(*Running) error {
	return func(r *Running) (err error) {
		*to, err = readRevision(r)
		return err
	}
}

// revisionMoved wants the object to have been written since its revision was noted, or not to have been.
func revisionMoved(since *string, want bool) func(*Running) error {
	return func(r *Running) error {
		now, err := readRevision(r)
		if err == nil && (now != *since) != want {
			err = fmt.Errorf("the object has revision %s, and had %s: want it written %t", now, *since, want)
		}
		return err
	}
}

// deadline changes the site's.
func deadline(to time.Duration) func(*Running) error {
	return func(r *Running) error {
		a, err := r.vm.Do(verbTime, wire.Request{Read: siteFile})
		if err != nil {
			return err
		}
		var lines []string
		for line := range strings.Lines(a.Out) {
			if key, _, _ := strings.Cut(strings.TrimSpace(line), ":"); key == "deadline" {
				line = fmt.Sprintf("    deadline: %s\n", to)
			}
			lines = append(lines, line)
		}
		return write(siteFile, strings.Join(lines, ""))(r)
	}
}

// clusterLog is the end of what the guest's servers have logged.
func clusterLog(r *Running) string {
	var text strings.Builder
	for _, p := range r.Cluster.programs() {
		a, err := r.vm.Do(verbTime, wire.Request{Read: p.Log})
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&text, "%s:\n%s%s\n", p.Log, a.Out[max(0, len(a.Out)-4000):], a.Err)
	}
	return text.String()
}
