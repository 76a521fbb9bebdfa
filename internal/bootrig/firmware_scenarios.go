package bootrig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// SystemdBootScenarios are what machines with systemd-boot have to live through.
func SystemdBootScenarios() []Scenario {
	return append(Scenarios(),
		Scenario{"cannot write", []string{Good}, cannotWrite(espFolder)},
		Scenario{"cannot save", []string{Good}, steps(firstUp, verb(0, "armed", "apply", Bundle(Good)), takeName,
			reboot, boots(away, Good), confirms(0, "committed"), is(Want{Phase: "idle", Current: Good, Slot: away, Result: "committed"}),
			reboot, boots(away, Good), confirms(0, "nothing"))},
		Scenario{"cannot save and sick", []string{Sick}, steps(firstUp, verb(0, "armed", "apply", Bundle(Sick)), takeName,
			reboot, boots(away, Sick), boots(home, First), confirms(5, "rolledBack"), is(atHome("sick")),
			reboot, boots(home, First), confirms(0, "nothing"))})
}

// takeName takes the name that the loader's count leads to: it cannot rename the entry then.
var takeName = write(espFolder+"/loader/entries/"+away+"+2-1.conf/taken", "x")

// EFIScenarios are what machines have to live through whose firmware boots the slots itself. A trial has one try there.
func EFIScenarios() []Scenario {
	all := slices.DeleteFunc(Scenarios(), func(s Scenario) bool { return s.Name == "nobody confirms" })
	return append(all,
		Scenario{"nobody confirms", []string{Mute}, fails(Mute, "tries used up", boots(away, Mute), reboot)},
		Scenario{"cannot write", []string{Good}, cannotWrite(efivar.Dir)},
		Scenario{"cannot save", []string{Good}, steps(firstUp, fillVariables, verb(4, "loader", "apply", Bundle(Good)),
			is(Want{Phase: "idle", Current: First, Slot: home}), reboot, boots(home, First), confirms(0, "nothing"),
			emptyVariables, verb(0, "armed", "apply", Bundle(Good)), reboot, boots(away, Good), confirms(0, "committed"))})
}

// cannotWrite is a machine on which the place of the loader's state is mounted read-only until it is booted again.
func cannotWrite(folder string) func(*Running) error {
	return steps(firstUp, remount(folder), verb(4, "loader", "apply", Bundle(Good)), is(Want{Phase: "idle", Current: First, Slot: home}),
		reboot, boots(home, First), confirms(0, "nothing"), verb(0, "armed", "apply", Bundle(Good)),
		reboot, boots(away, Good), confirms(0, "committed"))
}

func remount(folder string) func(*Running) error {
	return func(r *Running) error { return r.Do(wire.Request{Remount: folder}) }
}

// dumps are the variables by which Linux keeps the messages of a kernel that panicked: they may be removed by anybody.
const dumps = efivar.Dir + "/dump-type0-%d-cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0"

// maxDumps is more than any firmware takes.
const maxDumps = 4096

// fillVariables makes variables until the firmware takes none, not even a small one.
func fillVariables(r *Running) error {
	n := 0
	for _, size := range []int{8000, 500, 10} {
		for ; n < maxDumps; n++ {
			if err := write(fmt.Sprintf(dumps, n), "\x07\x00\x00\x00"+strings.Repeat("x", size))(r); err != nil {
				r.say("after %d variables one of %d bytes: %v", n, size, err)
				break
			}
		}
	}
	if n == maxDumps {
		return fmt.Errorf("the firmware takes %d variables and more", n)
	}
	return nil
}

// emptyVariables removes what fillVariables has made.
func emptyVariables(r *Running) error {
	for n := range maxDumps {
		path := fmt.Sprintf(dumps, n)
		if err := r.Do(wire.Request{Read: path}); err != nil {
			return nil // the last one was before
		}
		if err := r.Do(wire.Request{Remove: path}); err != nil {
			return err
		}
	}
	return nil
}
