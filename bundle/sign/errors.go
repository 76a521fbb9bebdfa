package sign

import (
	"errors"
	"fmt"
)

// Error is a key that cannot be used as given, or a statement that no key should sign.
type Error struct {
	reason, text, hint string
	cause              error
}

// Error says what is wrong with which file.
func (e *Error) Error() string { return e.text }

// Reason is "usage": another key file or password has to be given, or "signature": the bundle is not to be trusted.
func (e *Error) Reason() string { return e.reason }

// Hint says what to give, or where to get it.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

func usage(hint, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{reason: "usage", text: err.Error(), hint: hint, cause: errors.Unwrap(err)}
}
