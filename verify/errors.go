package verify

import (
	"errors"
	"fmt"
)

// Reasons of an Error.
const (
	// ReasonUnsigned means that there is no signature at all.
	ReasonUnsigned = "unsigned"
	// ReasonSignature means that there are signatures, but none that is good and by an accepted key.
	ReasonSignature = "signature"
	// ReasonSequence means that the release is older than one that the site has committed.
	ReasonSequence = "sequence"
	// ReasonExpired means that the release's time is over.
	ReasonExpired = "expired"
	// ReasonUsage means that the trust file cannot be used.
	ReasonUsage = "usage"
)

// Error is a verdict against a bundle, an image or a trust file.
type Error struct {
	reason, text, hint string
	cause              error
}

// Error says what is wrong, who signed and which keys are accepted.
func (e *Error) Error() string { return e.text }

// Reason is one of the Reason constants.
func (e *Error) Reason() string { return e.reason }

// Hint says what to ask for or to do next.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// refuse makes an Error; what %w names in the format is kept for errors.Is and errors.As.
func refuse(reason, hint, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{reason: reason, text: err.Error(), hint: hint, cause: errors.Unwrap(err)}
}
