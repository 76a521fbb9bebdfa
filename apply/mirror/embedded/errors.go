package embedded

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrServed means that another process serves the folder.
var ErrServed = errors.New("another process serves this folder")

// Error is a failure of the embedded registry as a whole.
type Error struct {
	Dir string
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("mirror folder %s: %v", e.Dir, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Reason is "room" when the disk is full, otherwise "mirror".
func (e *Error) Reason() string {
	if isFull(e.Err) {
		return "room"
	}
	return "mirror"
}

// Hint says what to do.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, ErrNoSecret):
		return "start sallyport mirror serve anew, with the site.yaml of this site and as the user that runs this: systemctl restart sallyport-mirror"
	case errors.Is(e.Err, ErrServed):
		return "stop the other sallyport mirror serve, or let it do the work"
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return "something else listens there: choose another address for mirror in site.yaml, or name that registry by url"
	case isFull(e.Err):
		return "free space on the disk of " + e.Dir
	case errors.Is(e.Err, os.ErrPermission), errors.Is(e.Err, syscall.EROFS):
		return "the user that runs sallyport must be able to write to " + e.Dir
	}
	return "look at the disk of " + e.Dir + " and run sallyport mirror fsck"
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
