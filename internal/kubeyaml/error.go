package kubeyaml

import "fmt"

// Place is a line of a file; Line is 0 if only the file is known.
type Place struct {
	File string
	Line int // 1-based
}

// String gives FILE:LINE, or FILE.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Error is what is wrong with a file of objects.
type Error struct {
	Place
	Problem string
	Advice  string // what to do next, one sentence; may be empty
	Err     error  // cause; may be nil
}

// Error gives file:line, the problem and its cause.
func (e *Error) Error() string {
	s := e.Problem
	switch {
	case e.File != "":
		s = e.String() + ": " + s
	case e.Line > 0:
		s = fmt.Sprintf("line %d: %s", e.Line, s)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *Error) Reason() string { return "manifest" }

// Hint is what to do next; empty if there is nothing to say.
func (e *Error) Hint() string { return e.Advice }
