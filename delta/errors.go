package delta

import (
	"errors"
	"fmt"
	"io"
)

// Error says what is wrong with a patch or with what it is applied to.
type Error struct {
	reason, message, hint string
	err                   error
}

// Reason returns a stable word: "format", "truncated", "digest", "base" or "newer".
func (e *Error) Reason() string { return e.reason }

// Hint says what to do next; it may be empty.
func (e *Error) Hint() string { return e.hint }

func (e *Error) Error() string {
	if e.err != nil {
		return e.message + ": " + e.err.Error()
	}
	return e.message
}

func (e *Error) Unwrap() error { return e.err }

func malformed(format string, args ...any) error {
	return &Error{reason: "format", message: "patch: " + fmt.Sprintf(format, args...)}
}

func newer(format string, args ...any) error {
	return &Error{reason: "newer", message: "patch: " + fmt.Sprintf(format, args...),
		hint: "install a newer sallyport on this site, or build the bundle for its version"}
}

// readError tells a patch that ends early from a medium that cannot be read.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{reason: "truncated", message: "patch ends early", err: io.ErrUnexpectedEOF}
	}
	return fmt.Errorf("read patch: %w", err)
}
