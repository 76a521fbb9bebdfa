package bootrig

// Show is what a demonstration plays: an update whose kernel panics, the way back, and one that is committed.
func Show(r *Running) error {
	tell := func(text string) func(*Running) error {
		return func(r *Running) error {
			r.say("%s", text)
			return nil
		}
	}
	return steps(
		firstUp, tell("an update that goes wrong: its kernel panics at each of its three tries; GRUB counts them, and boots the slot before"),
		arm(Panics), boots(home, First), confirms(5, "rolledBack"), is(atHome("tries used up")), why,
		tell("a good one: written to the slot that does not run, read back, armed, booted"),
		arm(Good), boots(away, Good), confirms(0, "committed"), is(Want{Phase: "idle", Current: Good, Slot: away, Result: "committed"}))(r)
}

// why tells what the status says of the last attempt.
func why(r *Running) error {
	s, err := r.Status()
	if err == nil && s.LastAttempted != nil {
		r.say("status: %s %s: %s", s.LastAttempted.Version, s.LastAttempted.Result, s.LastAttempted.Reason)
	}
	return err
}
