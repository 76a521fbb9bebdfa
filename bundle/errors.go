package bundle

import (
	"errors"
	"fmt"
)

// Error is a bundle that is not as the format demands. A failure to read the medium is never an Error: it is passed on
// as it is, so that callers can tell a stick that was pulled from a file that is wrong.
type Error struct {
	reason string
	text   string
	hint   string
	file   string // the one that the fault is in; empty: the bundle as a whole
	cause  error
}

// Reason is the stable word for the fault: "format", "truncated", "digest", "newer", or "usage" where the caller
// named something that cannot be a bundle.
func (e *Error) Reason() string { return e.reason }

// Hint says what to do next; it may be empty.
func (e *Error) Hint() string { return e.hint }

// File is the path of the file that the fault is in, and that Error names: a part of the bundle. It is empty where the text
// speaks of the bundle as a whole.
func (e *Error) File() string { return e.file }

// Error says what is wrong with which thing.
func (e *Error) Error() string { return e.text }

// Unwrap gives the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

const (
	reasonFormat    = "format"
	reasonTruncated = "truncated"
	reasonDigest    = "digest"
	reasonNewer     = "newer"
	reasonUsage     = "usage"
)

// errorf makes an Error; what %w names is kept for errors.Is and errors.As.
func errorf(reason, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{reason: reason, text: err.Error(), cause: errors.Unwrap(err)}
}

// formatf is the commonest fault: bytes that no sallyport writes.
func formatf(format string, args ...any) *Error { return errorf(reasonFormat, format, args...) }
