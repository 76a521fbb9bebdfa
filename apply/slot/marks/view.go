package marks

import (
	"context"
	"fmt"
	"maps"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// view is all that a tool tells of what will be booted.
type view struct {
	primary slot.Name
	good    map[slot.Name]bool
}

// view asks the tool about both slots.
func (l *Loader) view(ctx context.Context) (view, error) {
	told, err := l.tool.Slots(ctx)
	if err != nil {
		return view{}, err
	}
	primary, err := l.slot(told.Primary, "is booted next")
	return view{primary: primary, good: map[slot.Name]bool{slot.A: told.GoodA, slot.B: told.GoodB}}, err
}

// first is the slot that is booted next: a loader passes over a primary slot that is bad.
func (v view) first() slot.Name {
	for _, n := range []slot.Name{v.primary, v.primary.Other()} {
		if v.good[n] {
			return n
		}
	}
	return slot.None
}

func (v view) equal(w view) bool { return v.primary == w.primary && maps.Equal(v.good, w.good) }

func (v view) String() string {
	word := map[bool]string{true: "good", false: "bad"}
	return fmt.Sprintf("slot %s is primary, A is %s and B is %s", v.primary, word[v.good[slot.A]], word[v.good[slot.B]])
}

// Error is a tool that does not do, or does not tell, what it was asked for.
type Error struct {
	Text string
	Err  error // the cause; may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *Error) Reason() string { return "loader" }

// Hint says what to do next.
func (e *Error) Hint() string {
	return "try the tool's verbs by hand, mend it, and run sallyport confirm"
}
