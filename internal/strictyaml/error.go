package strictyaml

import "fmt"

// Error is the first thing wrong with a document.
type Error struct {
	File string // as given to Decode
	Line int    // 1-based; 0 if no line can be named
	// Field is the dotted path, spec.images[0].name; empty for the document itself.
	Field string
	// Problem is what is wrong with it, to be read after Field ("is not a field here").
	Problem string
	// Advice is what to do next, one sentence; may be empty.
	Advice string
	// Err is the cause, if another package named it.
	Err error
}

// Error gives file:line: field problem.
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s = fmt.Sprintf("%s:%d", s, e.Line)
	}
	s += ": "
	if e.Field != "" {
		s += e.Field + " "
	}
	return s + e.Problem
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *Error) Reason() string { return "spec" }

// Hint is what to do next; empty if nothing better than the message can be said.
func (e *Error) Hint() string { return e.Advice }
