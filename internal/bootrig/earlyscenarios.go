package bootrig

// EarlyScenarios are trials that end before the slot's root file system is mounted: nothing of ours runs there. They want a kernel
// that has its drivers in an initrd, and a loader that takes one try.
func EarlyScenarios() []Scenario {
	return []Scenario{
		// systemd#7063: pid 1 of the initrd lives on, in emergency mode.
		{"no root for dracut", []string{NoRoot}, fails(NoRoot, "tries used up")},
		{"no root for initramfs-tools", []string{NoRootEither}, fails(NoRootEither, "tries used up")},
	}
}

// WatchdogCard is a machine with a watchdog that a reset stops, as most do: who runs in the initrd, such as systemd with
// RuntimeWatchdogSec, starts it.
func WatchdogCard(y *Yard) (*Yard, []Scenario) {
	return y.with(false, "-device", "i6300esb"), []Scenario{{"hang in the initrd", []string{HangsEarly}, fails(HangsEarly, "tries used up")}}
}

// WatchdogController is a machine whose management controller (IPMI) has a watchdog that a reset leaves running: what sallyport
// starts before the reboot counts until the slot's kernel has the driver.
func WatchdogController(y *Yard) (*Yard, []Scenario) {
	return y.with(true, "-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc"), []Scenario{
		{"hang in the kernel", []string{Halts, Good}, steps(fails(Halts, "tries used up"),
			// A good system has the driver, and is left alone.
			arm(Good), boots(away, Good), confirms(0, "committed"), is(Want{Phase: "idle", Current: Good, Slot: away, Result: "committed"}))},
	}
}

// with is the same yard, whose machines have more devices; keeps tells that those run on over a reset.
func (y *Yard) with(keeps bool, devices ...string) *Yard {
	c, m := *y, *y.first
	m.Keeps, m.Devices = keeps, devices
	c.first = &m
	return &c
}

// OneTry has sallyport give a trial one try, and start the machine's watchdog for two minutes, the least that IPMI's driver takes over
// a reboot.
func OneTry(l Loader) Loader {
	l.Slots += "\n    tries: 1\n    watchdog: 2m"
	return l
}
