package bootrig

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// Scenario is something that happens to a machine that runs First in slot A.
type Scenario struct {
	Name string
	// Needs are the releases that the stick has to hold beside First.
	Needs []string
	Play  func(r *Running) error
}

// steps does one thing after the other until one goes wrong.
func steps(all ...func(*Running) error) func(*Running) error {
	return func(r *Running) error {
		for i, step := range all {
			if err := step(r); err != nil {
				return fmt.Errorf("step %d: %w", i+1, err)
			}
		}
		return nil
	}
}

func boots(slot, version string) func(*Running) error {
	return func(r *Running) error { return r.Boots(slot, version) }
}

// confirms waits for the verdict of the image's own sallyport confirm.
func confirms(exit int, result string) func(*Running) error {
	return func(r *Running) error {
		res, err := r.Confirms(exit)
		if err == nil && res.Result != result {
			err = fmt.Errorf("confirm: the result is %q, want %q", res.Result, result)
		}
		return err
	}
}

// verb runs a verb of sallyport, and wants an exit status and a result, or the reason of an error.
func verb(exit int, word string, args ...string) func(*Running) error {
	return func(r *Running) error {
		res, err := r.Sallyport(exit, args...)
		if err != nil {
			return err
		}
		if res.Error != nil && res.Error.Reason == word || res.Error == nil && res.Result == word {
			return nil
		}
		return fmt.Errorf("sallyport %v: %+v (%+v), want %q", args, res, res.Error, word)
	}
}

func is(w Want) func(*Running) error { return func(r *Running) error { return r.Is(w) } }

func reboot(r *Running) error { return r.Reboot() }

// arm takes a release and reboots into it by apply --reboot.
func arm(version string) func(*Running) error {
	return func(r *Running) error {
		r.say("sallyport apply --reboot %s", version)
		return r.vm.Ask(wire.Request{Run: []string{program, "apply", Bundle(version), "--reboot", "--json", "--progress", "plain"}})
	}
}

// Where the first machine of a yard has First, which came by an update, and the slot that the next one goes to.
const (
	home = "B"
	away = "A"
)

// atHome is a machine that stands as it did before a release that failed.
func atHome(reason string) Want {
	return Want{Phase: "idle", Current: First, Slot: home, Result: "rolledBack", Reason: reason}
}

// fails is a release that does not come up: the loader falls back, and the machine stands as before, wherever it is booted.
func fails(version, reason string, between ...func(*Running) error) func(*Running) error {
	return steps(firstUp, arm(version), steps(between...), boots(home, First), confirms(5, "rolledBack"), is(atHome(reason)),
		verb(4, "bad", "apply", Bundle(version)), reboot, boots(home, First), confirms(0, "nothing"), is(atHome(reason)))
}

// firstUp waits for the machine that was just switched on.
var firstUp = steps(boots(home, First), confirms(0, "nothing"))

// Scenarios are what every boot loader has to live through.
func Scenarios() []Scenario {
	committed := Want{Phase: "idle", Current: Good, Slot: away, Result: "committed"}
	tried := boots(away, Mute)
	return []Scenario{
		{"commit", []string{Good}, steps(firstUp,
			verb(0, "armed", "apply", Bundle(Good)), is(Want{Phase: "armed", Current: First, Slot: home}),
			reboot, boots(away, Good), confirms(0, "committed"), is(committed),
			verb(0, "nothing", "apply", Bundle(Good)), verb(3, "sequence", "apply", Bundle(First)),
			reboot, boots(away, Good), confirms(0, "nothing"), is(committed),
			verb(0, "armed", "rollback"), reboot, boots(home, First), confirms(0, "rolledBack"),
			is(Want{Phase: "idle", Current: First, Slot: home}))},
		{"panic", []string{Panics}, fails(Panics, "tries used up")},
		{"sick", []string{Sick}, fails(Sick, "sick", boots(away, Sick))},
		{"no kernel", []string{NoKernel}, fails(NoKernel, "tries used up")},
		{"hang", []string{Hangs}, fails(Hangs, "tries used up")},
		{"nobody confirms", []string{Mute}, fails(Mute, "tries used up", tried, reboot, tried, reboot, tried, reboot)},
		{"emergency mode", []string{Emergency}, fails(Emergency, "nobody confirmed")},
		{"power cuts", []string{Good}, steps(firstUp, cuts)},
		{"sick data", []string{Good}, steps(firstUp, write("/var/lib/rig-sick", "x"), arm(Good), boots(away, Good), boots(home, First), confirms(6, "needsPerson"),
			is(Want{Phase: "idle", Current: First, Slot: home, Person: true}), reboot, boots(home, First), confirms(6, ""))},
		{"manifests only", []string{Apps}, steps(firstUp, verb(0, "committed", "apply", Bundle(Apps)),
			is(Want{Phase: "idle", Current: Apps, Slot: home, Result: "committed"}), reboot, boots(home, First), confirms(0, "nothing"))},
	}
}

// cuts takes the power away at random moments of an update, again and again, until it is committed all the same.
func cuts(r *Running) error {
	random := rand.New(rand.NewPCG(18, 0))
	for range 12 {
		if err := arm(Good)(r); err != nil {
			return err
		}
		time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
		r.say("power cut")
		r.vm.Cycle()
		version, err := r.ends()
		if err != nil || version == Good {
			return err
		}
	}
	return steps(arm(Good), boots(away, Good), confirms(0, "committed"))(r)
}

// ends wants the machine to end by itself with one of the two releases: in its slot, and with its manifests. The new one may also
// rest there, written, or armed for a reboot that is left to people, as confirm does with what the loader was never told: then that
// leads to it.
func (r *Running) ends() (version string, err error) {
	if _, err := r.vm.Up(bootTime); err != nil {
		return "", err
	}
	if _, err := r.Confirms(0); err != nil {
		return "", err
	}
	s, err := r.Status()
	if err != nil || s.Current == nil {
		return "", fmt.Errorf("no release is current: %w", err)
	}
	if s.Phase == "armed" {
		return Good, steps(is(Want{Phase: "armed", Current: First, Slot: home}), reboot, boots(away, Good), confirms(0, "committed"),
			is(Want{Phase: "idle", Current: Good, Slot: away, Result: "committed"}))(r)
	}
	version = s.Current.Version
	rest := "idle"
	if s.Phase == "written" {
		rest = s.Phase
	}
	return version, r.Is(Want{Phase: rest, Current: version, Slot: map[string]string{First: home, Good: away}[version]})
}

func write(path, text string) func(*Running) error {
	return func(r *Running) error { return r.Do(wire.Request{Write: path, Text: text}) }
}
