package bootrig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// GRUBScenarios are what a machine that GRUB boots has to live through beside Scenarios: its state is a file, which it finds
// the blocks of by itself.
func GRUBScenarios() []Scenario {
	committed := Want{Phase: "idle", Current: Good, Slot: away, Result: "committed"}
	armed := verb(0, "armed", "apply", Bundle(Good))
	return []Scenario{
		{"cannot save: the disk", []string{Good}, steps(firstUp, armed, envFails, reboot, boots(home, First), confirms(5, "rolledBack"),
			is(atHome("no try was taken")), envWorks,
			// The release is not to blame: the disk has recovered, and it is taken.
			arm(Good), boots(away, Good), confirms(0, "committed"), is(committed))},
		{"cannot save: the block", []string{Good}, steps(firstUp,
			// Where it can be seen, nothing is begun.
			padEnv, doctorFinds("boot", "GRUB cannot write it"), verb(4, "loader", "apply", Bundle(Good)),
			// The new state has a mark that GRUB has to see first.
			mendEnv, reboot, boots(home, First), confirms(0, "nothing"), is(Want{Phase: "idle", Current: First, Slot: home}), armed,
			// Where it comes after the arming, GRUB leaves the trial alone.
			padEnv, reboot, boots(home, First), confirms(4, ""), doctorFinds("boot", "GRUB cannot write it"),
			mendEnv, reboot, boots(home, First), confirms(5, "rolledBack"), is(Want{Phase: "idle", Current: First, Slot: home, Result: "rolledBack"}))},
	}
}

const grubenv = "/boot/grub/grubenv"

// envSignature is what an environment block begins with.
const envSignature = "# GRUB Environment Block\n"

// envFails makes GRUB's next attempt to save its environment fail. A BIOS's disk is tried in two ways.
func envFails(r *Running) error {
	at, err := r.env()
	if err != nil {
		return err
	}
	r.Fails = []int64{at}
	if r.Vars == "" {
		r.Fails = append(r.Fails, at, at, at, at, at)
	}
	return nil
}

func envWorks(r *Running) error {
	r.Fails = nil
	return nil
}

// env is where on the disk the environment block lies.
func (r *Running) env() (int64, error) {
	f, err := os.Open(r.Disk)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	offset, size := r.Layout.Offset(labelBoot)
	boot := make([]byte, size)
	if _, err := f.ReadAt(boot, offset); err != nil {
		return 0, err
	}
	found := int64(-1)
	for at := int64(0); at < size; at += sectorSize {
		switch {
		case !bytes.HasPrefix(boot[at:], []byte(envSignature)):
		case found >= 0:
			return 0, errors.New("there are two environment blocks")
		default:
			found = at
		}
	}
	if found < 0 {
		return 0, errors.New("there is no environment block")
	}
	return offset + found, nil
}

// padEnv fills the end of the block with what GRUB reads and cannot write.
func padEnv(r *Running) error {
	a, err := r.vm.Do(verbTime, wire.Request{Read: grubenv})
	if err == nil && a.Exit != 0 {
		err = errors.New(a.Err)
	}
	if err != nil {
		return err
	}
	text := strings.TrimRight(a.Out, "#")
	return r.Do(wire.Request{Write: grubenv, Text: text + strings.Repeat("\x00", len(a.Out)-len(text))})
}

// mendEnv is what the error advises to do.
func mendEnv(r *Running) error {
	a, err := r.Run(program, "site", "init", "--boot", "grub", "--force")
	if err == nil && a.Exit != 0 {
		err = fmt.Errorf("site init --force: exit %d: %s", a.Exit, a.Err)
	}
	return err
}

// doctorFinds wants sallyport doctor to end with exit status 1, and to say something of one of the things that it looks at.
func doctorFinds(name, text string) func(*Running) error {
	return func(r *Running) error {
		a, err := r.Run(program, "doctor", "--json")
		if err != nil {
			return err
		}
		if a.Exit != 1 || !strings.Contains(a.Out, text) {
			return fmt.Errorf("doctor: exit %d, want 1 and %s: %q: %s", a.Exit, name, text, a.Out)
		}
		return nil
	}
}
