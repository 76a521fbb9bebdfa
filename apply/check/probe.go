package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

// One measurement may take this long; exec and image measurements may take the whole of the check's time.
const (
	kubernetesTry = 30 * time.Second
	httpTry       = 10 * time.Second
	tcpTry        = 5 * time.Second
)

// kind names the kind of a check; empty if it has none.
func kind(c bundle.Check) string {
	switch {
	case c.Kubernetes != nil:
		return "kubernetes"
	case c.HTTP != nil:
		return "http"
	case c.TCP != nil:
		return "tcp"
	case c.Exec != nil:
		return "exec"
	case c.Image != nil:
		return "image"
	}
	return ""
}

// Validate tells what is wrong with a check that could otherwise only be found out during a trial.
func Validate(c bundle.Check) error {
	if err := c.Validate(); err != nil {
		return &invalid{c.Name, err}
	}
	return nil
}

// invalid is a check that does not validate.
type invalid struct {
	name string
	err  error
}

func (e *invalid) Error() string {
	if e.name == "" {
		return "check: " + e.err.Error()
	}
	return fmt.Sprintf("check %q: %v", e.name, e.err)
}

func (e *invalid) Unwrap() error { return e.err }

// Reason is the stable word for scripts.
func (e *invalid) Reason() string { return "spec" }

// newProbe returns what measures the check. An error means that it can never be measured here.
func newProbe(c bundle.Check, env Env) (Probe, error) {
	if err := Validate(c); err != nil {
		return nil, err
	}
	switch {
	case c.Kubernetes != nil:
		if env.Kubernetes == nil {
			return nil, errors.New("this site's target does not tell the health of objects")
		}
		return limited(env.Kubernetes, kubernetesTry), nil
	case c.HTTP != nil:
		p, err := newHTTPProbe(*c.HTTP)
		return limited(p, httpTry), err
	case c.TCP != nil:
		return limited(tcpProbe(c.TCP.Address), tcpTry), nil
	case c.Exec != nil:
		return newExecProbe(c.Exec.Command, env.Environ)
	}
	if env.Images == nil {
		return nil, errors.New("this site has no mirror to ask for images")
	}
	return env.Images, nil
}

// limited bounds each measurement, so that one that hangs leaves time for others.
func limited(p Probe, d time.Duration) Probe {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return p(ctx)
	}
}

func tcpProbe(address string) Probe {
	return func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("%s does not accept connections: %w", address, dialReason(err))
		}
		return conn.Close()
	}
}

// dialReason cuts the addresses that net puts before the reason.
func dialReason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return op.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errTimeout
	}
	return err
}
