// Package exec is a boot loader that a program of the site's speaks for, by the arguments that RAUC gives its custom backends:
//
//	PROGRAM get-current            prints the name of the slot that was booted
//	PROGRAM get-primary            prints the name of the slot that is booted next
//	PROGRAM set-primary NAME
//	PROGRAM get-state NAME         prints good or bad
//	PROGRAM set-state NAME good    or bad
//
// What is printed is the whole answer: one word and a newline. A program that prints anything besides, a warning perhaps, has not
// answered: nobody can tell which line is meant. Standard error is for messages; it is shown when something fails.
package exec

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/marks"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// Config says which program speaks for the boot loader.
type Config struct {
	Command []string // the program, an absolute path or a name along the usual path, and what stands before each verb
	Names   slot.BootNames
	// Timeout is how long one call may take; 0 is DefaultTimeout.
	Timeout time.Duration
	// Disk is what the program writes to, as far as tests are concerned: each call that writes is an operation of it.
	Disk durable.Disk
}

// DefaultTimeout is enough for a tool that unpacks an image on a slow disk before it answers.
const DefaultTimeout = 2 * time.Minute

// New makes the loader. It runs nothing.
func New(c Config) (*marks.Loader, error) {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return nil, errors.New("no program speaks for the boot loader")
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	return marks.New(tool(c), c.Command[0], c.Names), nil
}

type tool Config

func (t tool) Current(ctx context.Context) (string, error) { return t.ask(ctx, "get-current") }

func (t tool) Slots(ctx context.Context) (s marks.Slots, err error) {
	if s.Primary, err = t.ask(ctx, "get-primary"); err != nil {
		return s, err
	}
	if s.GoodA, err = t.good(ctx, t.Names.A); err != nil {
		return s, err
	}
	s.GoodB, err = t.good(ctx, t.Names.B)
	return s, err
}

func (t tool) SetPrimary(ctx context.Context, name string) error {
	return t.tell(ctx, "set-primary", name)
}

func (t tool) good(ctx context.Context, name string) (bool, error) {
	answer, err := t.ask(ctx, "get-state", name)
	if err != nil {
		return false, err
	}
	switch answer {
	case "good":
		return true, nil
	case "bad":
		return false, nil
	}
	return false, fmt.Errorf("%s get-state %s answers %q, which is neither good nor bad", t.Command[0], name, answer)
}

func (t tool) SetState(ctx context.Context, name string, good bool) error {
	if good {
		return t.tell(ctx, "set-state", name, "good")
	}
	return t.tell(ctx, "set-state", name, "bad")
}

// ask returns the one word that the program answers.
func (t tool) ask(ctx context.Context, verb ...string) (string, error) {
	out, err := t.run(ctx, verb)
	if err != nil {
		return "", err
	}
	answer := strings.TrimSuffix(out, "\n")
	if answer == "" || len(strings.Fields(answer)) != 1 || strings.TrimSpace(answer) != answer {
		return "", fmt.Errorf("%s %s must answer with one word and nothing else, and answers %s",
			t.Command[0], strings.Join(verb, " "), quoted(answer))
	}
	return answer, nil
}

// tell has the program write. A write that has begun is not broken off because somebody loses patience.
func (t tool) tell(ctx context.Context, verb ...string) error {
	return t.Disk.Step(durable.Op{Kind: durable.OpCall, Path: strings.Join(verb, " ")}, func() error {
		_, err := t.run(context.WithoutCancel(ctx), verb)
		return err
	})
}

// quoted shows the beginning of an answer.
func quoted(answer string) string {
	if answer == "" {
		return "nothing"
	}
	return `"` + oneline.Clean(answer, 80) + `"`
}
