package backup

import (
	"errors"
	"fmt"
)

// Error is a backup that could not be made, or one that could not be restored.
type Error struct {
	Word   string // "backup" or "restore"
	Text   string // what is wrong with which thing
	Advice string // what to do next
	Err    error  // the cause; may be nil
}

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

// fault is what is wrong, with the advice, before it is known for what.
type fault struct {
	text, advice string
	err          error
}

func (f *fault) Error() string {
	if f.err == nil {
		return f.text
	}
	return f.text + ": " + f.err.Error()
}

func (f *fault) Unwrap() error { return f.err }

func faultf(advice, format string, args ...any) error {
	return &fault{text: fmt.Sprintf(format, args...), advice: advice}
}

const (
	mendBackup  = "nothing was changed: mend it, then run the same command again"
	mendRestore = "mend it, then run sallyport confirm: the restore begins again from the start"
)

func failed(word, what, advice string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	var f *fault
	if errors.As(err, &f) {
		err = f // what it passed through says nothing more
		if f.advice != "" {
			advice = f.advice
		}
	}
	return &Error{Word: word, Text: what, Advice: advice, Err: err}
}

func failedBackup(err error) error {
	return failed("backup", "the data of this site could not be backed up", mendBackup, err)
}

func failedRestore(id string, err error) error {
	return failed("restore", "backup "+id+" of the data of this site could not be restored", mendRestore, err)
}
