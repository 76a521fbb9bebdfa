//go:build boot

package debian

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig"
)

// guest is a machine that runs, whose test ends with the first thing that goes wrong.
type guest struct {
	t *testing.T
	*bootrig.Running
}

func (g *guest) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatalf("%v\n%s", err, g.Console())
	}
}

func (g *guest) boots(slot, version string) {
	g.t.Helper()
	g.must(g.Boots(slot, version))
}

// run runs a script as a person does, who stops at the first command that fails.
func (g *guest) run(script string) string {
	g.t.Helper()
	g.Say("%s", strings.TrimSpace(script))
	a, err := g.Run("bash", "-c", "set -euo pipefail\n"+script)
	if err == nil && a.Exit != 0 {
		err = fmt.Errorf("exit %d: %s\n%s%s", a.Exit, script, a.Out, a.Err)
	}
	g.must(err)
	if said := strings.TrimSpace(a.Out + a.Err); said != "" {
		g.Say("  %s", said)
	}
	return a.Out
}

// apply plugs the stick in, unless it is, and takes a release from it.
func (g *guest) apply(version, result string) {
	g.t.Helper()
	g.run("mountpoint -q /media/stick || mount /media/stick")
	res, err := g.Sallyport(0, "apply", bootrig.Bundle(version))
	if err == nil && res.Result != result {
		err = fmt.Errorf("sallyport apply: %+v (%+v), want %q", res, res.Error, result)
	}
	g.must(err)
}

// unit waits for the end of a unit's work, and wants an exit status of its program.
func (g *guest) unit(name string, exit string) {
	g.t.Helper()
	var last string
	for end := time.Now().Add(15 * time.Minute); time.Now().Before(end); time.Sleep(3 * time.Second) {
		a, err := g.Run("systemctl", "show", "-p", "ActiveState,ExecMainStatus,ExecMainExitTimestampMonotonic", name)
		g.must(err)
		last = "\n" + a.Out
		over := strings.Contains(last, "\nActiveState=inactive\n") || strings.Contains(last, "\nActiveState=failed\n")
		if over && !strings.Contains(last, "\nExecMainExitTimestampMonotonic=0\n") {
			break
		}
	}
	if !strings.Contains(last, "\nExecMainStatus="+exit+"\n") {
		g.t.Fatalf("%s: %s, want exit status %s\n%s", name, last, exit, g.journal(name))
	}
	g.Say("%s ends with %s", name, exit)
}

func (g *guest) journal(unit string) string {
	a, err := g.Run("journalctl", "--no-pager", "-n", "50", "-u", unit)
	if err != nil {
		return err.Error()
	}
	return a.Out + a.Err
}

// emergency waits until the machine is in emergency mode.
func (g *guest) emergency() {
	g.t.Helper()
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(3 * time.Second) {
		a, err := g.Run("systemctl", "is-active", "emergency.target")
		g.must(err)
		if strings.TrimSpace(a.Out) == "active" {
			g.Say("emergency mode")
			return
		}
	}
	g.t.Fatalf("no emergency mode\n%s", g.Console())
}
