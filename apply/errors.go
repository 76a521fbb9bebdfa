package apply

import (
	"errors"
	"fmt"
	"io/fs"
)

// Error is a failure with a stable word for scripts and, where there is one, the next thing to do.
type Error struct {
	Word   string // "locked", "base", "room", …
	Text   string // what is wrong with which thing
	Advice string // what to do next, one sentence; may be empty
	Err    error  // the cause; may be nil
}

// Error says what is wrong, with the cause behind it.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Text
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *Error) Reason() string { return e.Word }

// Hint says what to do next.
func (e *Error) Hint() string { return e.Advice }

func errorf(word, hint, format string, args ...any) *Error {
	return &Error{Word: word, Advice: hint, Text: fmt.Sprintf(format, args...)}
}

// privately explains that a file of the state, at path, is not for this user: it may have what others must not see.
func privately(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &Error{Word: "state", Text: path + " is for its owner alone", Err: fs.ErrPermission,
		Advice: "run the same command as the user to whom it belongs, usually root: sudo"}
}

// stateError is a state folder that cannot be read or written.
func stateError(err error) error {
	var known *Error
	if errors.As(err, &known) && known.Word == "state" {
		return err
	}
	return &Error{Word: "state", Text: "the site's state cannot be kept", Err: err,
		Advice: "sallyport doctor says what is wrong with the state folder; then run the same command again"}
}
