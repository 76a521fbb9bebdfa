package part

import "fmt"

// UnfitError is a part that cannot go to its place: nothing was written there.
type UnfitError struct {
	Part   string // the part's name
	Place  string // as the site names it; empty if the part has none
	Text   string // what is wrong with the place
	Advice string // what to do next
}

func (e *UnfitError) Error() string {
	if e.Place == "" {
		return fmt.Sprintf("part %s %s", e.Part, e.Text)
	}
	return fmt.Sprintf("part %s cannot go to %s: %s", e.Part, e.Place, e.Text)
}

// Reason is the stable word for scripts.
func (e *UnfitError) Reason() string { return "part" }

// Hint says what to do next.
func (e *UnfitError) Hint() string { return e.Advice }

// MediumError is a place that does not give back what was written to it.
type MediumError struct{ Place, Text string }

func (e *MediumError) Error() string { return e.Place + " " + e.Text }

// Reason is the stable word for scripts.
func (e *MediumError) Reason() string { return "io" }

// Hint says what to do next.
func (e *MediumError) Hint() string {
	return "run the same command again: what is right already is not written again; if it stays so, replace the device"
}
