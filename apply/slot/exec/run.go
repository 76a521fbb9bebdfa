package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-dev/sallyport/internal/program"
)

// maxOutput bounds what one call may print.
const maxOutput = 4096

var errLong = errors.New("that is too much")

// run makes one call and returns what it printed.
func (t tool) run(ctx context.Context, verb []string) (string, error) {
	limited, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	var out bounded
	args := slices.Concat(t.Command, verb)
	err := program.Run(limited, program.Command{Args: args, Output: &out})
	text, over := out.all()
	switch {
	case over:
		return "", fmt.Errorf("%s prints more than %d bytes when asked for %s", t.Command[0], maxOutput, strings.Join(verb, " "))
	case err == nil:
		return text, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	return "", fmt.Errorf("%s: %w", strings.Join(verb, " "), err)
}

// bounded keeps what is printed, up to a bound; a program that prints more is cut off. It may be read while it is written to, by a
// program that does not die.
type bounded struct {
	mu   sync.Mutex
	buf  []byte
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.buf)+len(p) > maxOutput {
		b.over = true
		return 0, errLong
	}
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *bounded) all() (text string, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf), b.over
}
