package cmd

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal returns a context that ends with the first Ctrl-C, SIGTERM or SIGHUP (a terminal that was closed, an ssh
// that broke off). A second Ctrl-C or SIGTERM ends the process as if nobody had asked for the first: what a verb is stuck in, it can
// be told to stop. Every crash is taken up by the next verb, so that costs nothing.
func untilSignal() (context.Context, func()) {
	asked := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup means it
		asked = append(asked, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), asked...)
	// A shell that dies may send SIGHUP once more than the terminal did.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })
	ignored := failInstead()
	return ctx, func() {
		stop()
		signal.Stop(ignored)
	}
}

// failInstead makes writes fail that would end the process: to a pipe whose reader has gone, beyond a limit on the size
// of files. A transaction must not end in the middle because nobody listens to it any more. The signals are caught and
// not ignored, since programs that checks run would inherit that.
func failInstead() chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGPIPE, syscall.SIGXFSZ)
	return c
}
