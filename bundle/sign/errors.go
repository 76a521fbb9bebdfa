package sign

import (
	"errors"
	"fmt"
)

// Error is a key that cannot be used as given.
type Error struct {
	text, hint string
	cause      error
}

// Error says what is wrong with which file.
func (e *Error) Error() string { return e.text }

// Reason is "usage": another key file or password has to be given.
func (e *Error) Reason() string { return "usage" }

// Hint says which.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

func usage(hint, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{text: err.Error(), hint: hint, cause: errors.Unwrap(err)}
}
