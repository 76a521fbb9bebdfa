package recompress

import (
	"errors"
	"fmt"
	"io"
)

// ErrNoRecipe says that no known encoder makes the blob again.
var ErrNoRecipe = errors.New("no recipe reproduces this compressed blob")

// Error says what is wrong with a blob or a recipe.
type Error struct {
	reason, message string
	err             error
}

// Reason returns a stable word: "format", "truncated" or "newer".
func (e *Error) Reason() string { return e.reason }

func (e *Error) Error() string {
	if e.err != nil {
		return e.message + ": " + e.err.Error()
	}
	return e.message
}

func (e *Error) Unwrap() error { return e.err }

func malformed(format string, args ...any) error {
	return &Error{reason: "format", message: fmt.Sprintf(format, args...)}
}

// readError tells a blob that ends early from a medium that cannot be read.
func readError(what string, err error) error {
	var ours *Error
	if errors.As(err, &ours) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{reason: "truncated", message: what + " ends early", err: io.ErrUnexpectedEOF}
	}
	return fmt.Errorf("%s: %w", what, err)
}
