package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

const (
	// defaultStall is how long a medium may give nothing before it is given up.
	defaultStall = 5 * time.Minute
	// mostRead bounds what is asked of a medium at once, in bytes.
	mostRead = 256 << 10
)

// stallFlag adds --stall-timeout to a verb that reads a bundle.
func (p *program) stallFlag(c *cobra.Command) {
	c.Flags().DurationVar(&p.stall, "stall-timeout", defaultStall, "give a medium up that gives no byte for so long; 0: never")
}

// stalledError is a medium that gave nothing for as long as --stall-timeout lets it.
type stalledError struct {
	name  string
	limit time.Duration
}

func (e *stalledError) Error() string { return fmt.Sprintf("%s gave no byte for %s", e.name, e.limit) }
func (*stalledError) Reason() string  { return "stalled" }

// patiently runs f, which may be stuck for good in a medium that does not answer, until it returns, ctx ends or limit is
// over. What f returns after that is lost.
func patiently[T any](ctx context.Context, limit time.Duration, name string, f func() (T, error)) (v T, err error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	var over <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		return v, ctx.Err()
	case <-over:
		return v, &stalledError{name, limit}
	}
}

// patientReader reads from a medium that may stop answering: see patiently.
type patientReader struct {
	ctx   context.Context // of the verb that reads
	r     io.Reader
	name  string
	limit time.Duration
	buf   []byte
	err   error // why it was given up: the read that is stuck may still fill buf
}

// Read reads on, or gives up for good.
func (p *patientReader) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if want := min(len(b), mostRead); len(p.buf) < want {
		p.buf = make([]byte, want)
	}
	buf := p.buf[:min(len(b), len(p.buf))]
	n, err := patiently(p.ctx, p.limit, p.name, func() (int, error) { return p.r.Read(buf) })
	if n == 0 && err != nil && !errors.Is(err, io.EOF) {
		p.err = err
	}
	return copy(b, buf[:n]), err
}
