package build

import (
	"errors"

	"github.com/sallyport-dev/sallyport/bundle/manifest"
)

// Error is a build that cannot be, for a reason that the caller can mend.
type Error struct {
	reason string
	text   string
	hint   string
	cause  error
}

// Error says what is wrong with which thing.
func (e *Error) Error() string { return e.text }

// Reason is the stable word for scripts: "usage", "spec", "image" or "network".
func (e *Error) Reason() string { return e.reason }

// Hint says what to do next; may be empty.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// hintOf gives the hint that err carries, or else the other.
func hintOf(err error, other string) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		return h.Hint()
	}
	return other
}

// at is an error about what stands at a place.
func at(reason string, place manifest.Place, hint string, err error) *Error {
	return &Error{reason: reason, text: place.String() + ": " + err.Error(), hint: hint, cause: err}
}

// reasonOf gives the stable word that err carries, or else the other.
func reasonOf(err error, other string) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return other
}
