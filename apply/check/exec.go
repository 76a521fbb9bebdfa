package check

import (
	"context"
	"errors"

	"github.com/sallyport-dev/sallyport/internal/program"
)

// statusAgain is the exit status of a program that cannot tell yet.
const statusAgain = 21

// newExecProbe runs a program, without a shell.
func newExecProbe(command, environ []string) (Probe, error) {
	if _, err := program.Find(command[0]); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		err := program.Run(ctx, program.Command{Args: command, Env: environ})
		var ended *program.Error
		if errors.As(err, &ended) && ended.Status == statusAgain {
			return again{err}
		}
		return err
	}, nil
}

// again is the answer of a program that cannot tell yet: it counts neither as good nor as bad.
type again struct{ error }

func (a again) Unwrap() error { return a.error }

func isAgain(err error) bool {
	var a again
	return errors.As(err, &a)
}
