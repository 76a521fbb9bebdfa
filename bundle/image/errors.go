package image

import (
	"errors"
	"fmt"
	"strings"
)

// Error is an image that cannot be used as it is. Trouble with a registry that a later try may not meet is a
// *NetworkError instead.
type Error struct {
	Problem string // what is wrong with the image
	Advice  string // what to do next, one sentence; may be empty
	Err     error  // cause; may be nil
	hidden  error  // a cause whose text says nothing to people
}

// Error tells the problem and its cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Problem
	}
	return e.Problem + ": " + e.Err.Error()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error {
	if e.Err == nil {
		return e.hidden
	}
	return e.Err
}

// Reason is the stable word for scripts.
func (e *Error) Reason() string { return "image" }

// Hint is what to do next; empty if there is nothing to say.
func (e *Error) Hint() string { return e.Advice }

func errorf(format string, args ...any) *Error { return &Error{Problem: fmt.Sprintf(format, args...)} }

// MissingError is a wanted platform that an image does not have.
type MissingError struct {
	Wanted []string // those that are missing
	Has    []string
}

// Error names the missing platforms and those that are there.
func (e *MissingError) Error() string {
	return fmt.Sprintf("it has no image for %s, only for %s", strings.Join(e.Wanted, ", "), strings.Join(e.Has, ", "))
}

// Reason is the stable word for scripts.
func (e *MissingError) Reason() string { return "image" }

// Hint is what to do next.
func (e *MissingError) Hint() string {
	return "take the platform out of spec.platforms, or use an image that was built for it"
}

// errNotFound is wrapped by what a source does not have.
var errNotFound = errors.New("not found")
