package rauc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/marks"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/oneline"
	"github.com/sallyport-dev/sallyport/internal/program"
)

const (
	// answer is how long a call may take. RAUC asks the boot loader within it.
	answer = time.Minute
	// maxOutput bounds what a call may print.
	maxOutput = 256 << 10
	// maxMessage bounds what an error repeats of it.
	maxMessage = 200
	// busy is what RAUC answers while it installs something, and pause how long to wait then.
	busy  = "Already processing a different method"
	pause = 5 * time.Second
)

// client calls RAUC's service on D-Bus by way of RAUC's own command.
type client struct {
	bus      string
	names    slot.BootNames
	disk     durable.Disk
	patience time.Duration
}

var _ marks.Tool = client{}

// run makes one call and returns what it printed to standard output.
func (c client) run(ctx context.Context, limit time.Duration, args ...string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := program.Command{Args: append([]string{"rauc"}, args...)}
	if c.bus != "" {
		cmd.Env = []string{"DBUS_SYSTEM_BUS_ADDRESS=" + c.bus}
	}
	var out output
	cmd.Output = &out
	err := program.Run(limited, cmd)
	printed, over := out.all()
	switch {
	case over:
		return nil, fmt.Errorf("rauc %s prints more than %d bytes", args[0], maxOutput)
	case err == nil:
		return printed, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, errors.Join(fmt.Errorf("%s: %w", strings.Join(args, " "), err), lastError(printed))
}

// Current is the bootname of the slot that RAUC takes for the booted one.
func (c client) Current(ctx context.Context) (string, error) {
	s, err := c.status(ctx)
	if err == nil && s.Booted == "" {
		err = errors.New("RAUC does not know which slot was booted: the kernel's command line needs rauc.slot=NAME")
	}
	if err != nil {
		return "", err
	}
	return s.Booted, nil
}

// Slots is what RAUC tells of the two slots.
func (c client) Slots(ctx context.Context) (told marks.Slots, err error) {
	s, err := c.status(ctx)
	if err != nil {
		return told, err
	}
	primary, ok := s.slots[s.Primary]
	if !ok {
		return told, fmt.Errorf("RAUC says that slot %q is booted next, and has no slot of that name", s.Primary)
	}
	told.Primary = primary.BootName
	if told.GoodA, err = s.good(c.names.A); err != nil {
		return told, err
	}
	told.GoodB, err = s.good(c.names.B)
	return told, err
}

// SetPrimary activates a slot.
func (c client) SetPrimary(ctx context.Context, name string) error {
	return c.mark(ctx, "mark-active", name)
}

// SetState marks a slot good or bad.
func (c client) SetState(ctx context.Context, name string, good bool) error {
	if good {
		return c.mark(ctx, "mark-good", name)
	}
	return c.mark(ctx, "mark-bad", name)
}

// mark has RAUC write. A write that has begun is not broken off because somebody loses patience.
func (c client) mark(ctx context.Context, how, name string) error {
	ctx = context.WithoutCancel(ctx)
	s, err := c.status(ctx)
	if err != nil {
		return err
	}
	rauc, _, err := s.named(name)
	if err != nil {
		return err
	}
	return c.disk.Step(durable.Op{Kind: durable.OpCall, Path: how + " " + rauc}, func() error {
		_, err := c.run(ctx, answer, "status", how, rauc)
		return err
	})
}

// install has RAUC install a bundle. RAUC goes on by itself when ctx ends; whoever comes next waits for that first.
func (c client) install(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	return c.disk.Step(durable.Op{Kind: durable.OpCall, Path: "install " + path}, func() error {
		for {
			_, err := c.run(ctx, c.patience, "install", path)
			if err == nil || !strings.Contains(err.Error(), busy) {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(pause):
			}
		}
	})
}

// lastError is what RAUC says was wrong, among what it says on the way.
func lastError(printed []byte) error {
	for line := range bytes.Lines(printed) {
		if text, ok := bytes.CutPrefix(line, []byte("LastError: ")); ok {
			return errors.New(oneline.Clean(string(text), maxMessage))
		}
	}
	return nil
}

// output keeps what is printed, up to a bound. It may be read while it is written to, by a program that does not die.
type output struct {
	mu   sync.Mutex
	buf  []byte
	over bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf)+len(p) > maxOutput {
		o.over = true
		return 0, errors.New("that is too much")
	}
	o.buf = append(o.buf, p...)
	return len(p), nil
}

func (o *output) all() (printed []byte, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buf), o.over
}
