package slot

import (
	"context"
	"fmt"
)

// Loader is a boot loader as a backend: what it arms runs after the next reboot, and it falls back by itself to the other slot
// if nobody commits it. It keeps a State of each slot in a place of its own, which every method reads anew; what a method has
// written it has read back. The state of a slot that a method is not about stays as it is, and so does everything in that place
// that is not ours.
type Loader interface {
	// Running is the loader's own word for the slot that it booted. Arm's reboot is true. Arm gives the slot all its tries,
	// whatever was left of an earlier one, and wants the slot that runs to be good. Commit makes the slot good and the first
	// to be booted, and leaves the other one as the one to fall back to. Arming None is an error.
	Backend
	// Ready tells why a slot could not be armed here, as an *UnreadyError; it changes nothing. It wants a mark that only the
	// loader can have made in this boot, by our script or file, and a place of state that looks as if it could be written.
	Ready(ctx context.Context) error
	// Disarm makes the loader pass over the slot until it is armed again. It comes before the first write to the slot's
	// parts, and proves that the place of state can be written: an *UnreadyError if it cannot.
	Disarm(ctx context.Context, n Name) error
	// State is what the loader will do with the slot.
	State(ctx context.Context, n Name) (State, error)
}

// Verdict is what a loader holds of a slot.
type Verdict string

// The verdicts.
const (
	Good  Verdict = "good"  // it is booted as often as is needed
	Trial Verdict = "trial" // it is booted as long as tries are left
	Bad   Verdict = "bad"   // it is passed over
)

// State is what a loader keeps of a slot.
type State struct {
	Verdict Verdict `json:"verdict"`
	// Left is how many more times a slot on trial is booted; 0 of one that has none left, or that is not on trial.
	Left int `json:"left"`
	// First tells whether the loader would boot this slot next.
	First bool `json:"first"`
}

// DefaultTries is how many times a slot is tried before the loader falls back, unless site.yaml says otherwise.
const DefaultTries = 3

// UnreadyError is a boot loader, or the place of its state, that cannot be relied on: nothing was written.
type UnreadyError struct {
	Text   string // what is wrong with which thing
	Advice string // what to do next
	Err    error  // the cause; may be nil
}

func (e *UnreadyError) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}
func (e *UnreadyError) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *UnreadyError) Reason() string { return "loader" }

// Hint says what to do next.
func (e *UnreadyError) Hint() string { return e.Advice }

// decideFirst is what to do where a trial stands in the way.
const decideFirst = "decide the trial first: sallyport confirm"

// NothingLeft wants a slot that is about to be passed over to leave one that is good: other and err are what State said of that one.
func NothingLeft(n Name, other State, err error) error {
	if err == nil && other.Verdict == Good {
		return nil
	}
	return &UnreadyError{
		Text:   fmt.Sprintf("slot %s cannot be passed over: slot %s is not good, and nothing would be left to boot", n, n.Other()),
		Advice: decideFirst, Err: err,
	}
}

// NoWayBack is the refusal to arm a slot while the other one does not run, or is not good; err is why that is not known, or nil.
func NoWayBack(n, running Name, err error) error {
	return &UnreadyError{
		Text:   fmt.Sprintf("slot %s cannot be armed: slot %s runs, and must be the other one and good", n, running),
		Advice: decideFirst, Err: err,
	}
}

// BootNames are a loader's names of the slots.
type BootNames struct{ A, B string }

// Of is the loader's name of a slot; empty for None.
func (b BootNames) Of(n Name) string {
	switch n {
	case A:
		return b.A
	case B:
		return b.B
	}
	return ""
}

// Slot is the slot of that name; None if there is none.
func (b BootNames) Slot(name string) Name {
	switch {
	case name == "":
		return None
	case name == b.A:
		return A
	case name == b.B:
		return B
	}
	return None
}
