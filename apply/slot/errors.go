package slot

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrEmpty is the error of loading a slot that holds no release.
var ErrEmpty = errors.New("the slot holds no release")

// DamagedError tells that a slot does not hold what was put there.
type DamagedError struct {
	Slot Name
	File string // empty if it is not about one file
	Err  error
}

// Error names the slot and the file.
func (e *DamagedError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("slot %s is damaged: %v", e.Slot, e.Err)
	}
	return fmt.Sprintf("slot %s is damaged: %s: %v", e.Slot, e.File, e.Err)
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *DamagedError) Reason() string { return "slot" }

// Hint says what to do next.
func (e *DamagedError) Hint() string {
	return "check the disk that holds the site's state, then apply the release's bundle again"
}

// ioError is a failure of the disk that holds the slots.
type ioError struct {
	doing string
	err   error
}

func failed(doing string, err error) error { return &ioError{doing, err} }

func (e *ioError) Error() string { return fmt.Sprintf("cannot %s: %v", e.doing, e.err) }
func (e *ioError) Unwrap() error { return e.err }

func (e *ioError) full() bool {
	return errors.Is(e.err, syscall.ENOSPC) || errors.Is(e.err, syscall.EDQUOT)
}

// Reason is the stable word for scripts.
func (e *ioError) Reason() string {
	if e.full() {
		return "room"
	}
	return "io"
}

// Hint says what to do next.
func (e *ioError) Hint() string {
	if e.full() {
		return "free some space on the disk that holds the site's state, then try again"
	}
	return "check the disk that holds the site's state, then try again"
}
