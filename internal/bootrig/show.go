package bootrig

// Show is what a demonstration plays: an update that is committed, one whose kernel panics, and the way back.
func Show(r *Running) error {
	tell := func(text string) func(*Running) error {
		return func(r *Running) error {
			r.say("%s", text)
			return nil
		}
	}
	return steps(
		firstUp, tell("a good update: written to the slot that does not run, read back, armed, booted"),
		arm(Good), boots(away, Good), confirms(0, "committed"), is(Want{Phase: "idle", Current: Good, Slot: away, Result: "committed"}),
		tell("a bad one: its kernel panics at each of its three tries; GRUB counts them, and boots the slot before"),
		arm(Panics), boots(away, Good), confirms(5, "rolledBack"),
		is(Want{Phase: "idle", Current: Good, Slot: away, Result: "rolledBack", Reason: "tries used up"}), why)(r)
}

// why tells what the status says of the last attempt.
func why(r *Running) error {
	s, err := r.Status()
	if err == nil && s.LastAttempted != nil {
		r.say("status: %s %s: %s", s.LastAttempted.Version, s.LastAttempted.Result, s.LastAttempted.Reason)
	}
	return err
}
