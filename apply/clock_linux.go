package apply

import "golang.org/x/sys/unix"

// clockSynced tells whether the kernel knows of a program that keeps the clock right (adjtimex(2)).
func clockSynced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
