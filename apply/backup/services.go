package backup

import (
	"context"
	"errors"
	"os"
	"time"
)

// services are the machine's services that work on the data, in the order in which they are stopped.
type services struct {
	names  []string
	manage func(ctx context.Context, verb, service string) error // nil: manage
}

// startPatience bounds the start of services, which is tried whatever else has failed or ended.
const startPatience = 2 * time.Minute

// stop returns when none of them runs.
func (s services) stop(ctx context.Context) error {
	for _, name := range s.names {
		if err := s.tell(ctx, "stop", name); err != nil {
			return err
		}
	}
	return nil
}

// start starts all of them, and is not stopped by the end of the context: what was stopped must not stay so.
func (s services) start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startPatience)
	defer cancel()
	for i := len(s.names) - 1; i >= 0; i-- {
		err = errors.Join(err, s.tell(ctx, "start", s.names[i]))
	}
	return err
}

func (s services) tell(ctx context.Context, verb, name string) error {
	tell := s.manage
	if tell == nil {
		tell = manage
	}
	if err := tell(ctx, verb, name); err != nil {
		return faultf("see what is wrong with service "+name, "service %s could not be told to %s: %v", name, verb, err)
	}
	return nil
}

// manage asks the machine's service manager: systemd where it runs, else OpenRC. Both return once it is done.
func manage(ctx context.Context, verb, name string) error {
	args := []string{"systemctl", verb, name}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		args = []string{"rc-service", name, verb}
	}
	_, err := run(ctx, nil, args...)
	return err
}
