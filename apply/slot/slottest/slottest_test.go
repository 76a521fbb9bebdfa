package slottest

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

func TestFake(t *testing.T) { Run(t, OpenFake) }

// flawed is the fake with one fault of those that real loaders' tools have had.
type flawed struct {
	*Fake
	arm    func(f *Fake, n slot.Name) (bool, error)
	commit func(f *Fake, n slot.Name) error
	disarm func(f *Fake, n slot.Name) error
}

func (f flawed) Arm(ctx context.Context, n slot.Name) (bool, error) {
	if f.arm != nil {
		return f.arm(f.Fake, n)
	}
	return f.Fake.Arm(ctx, n)
}

func (f flawed) Commit(ctx context.Context, n slot.Name) error {
	if f.commit != nil {
		return f.commit(f.Fake, n)
	}
	return f.Fake.Commit(ctx, n)
}

func (f flawed) Disarm(ctx context.Context, n slot.Name) error {
	if f.disarm != nil {
		return f.disarm(f.Fake, n)
	}
	return f.Fake.Disarm(ctx, n)
}

// twice edits the file of the fake in two writes.
func twice(f *Fake, n slot.Name, one, two func(e *fakeEnv, name, other string)) error {
	for _, edit := range []func(e *fakeEnv, name, other string){one, two} {
		if err := once(f, n, edit); err != nil {
			return err
		}
	}
	return nil
}

func once(f *Fake, n slot.Name, edit func(e *fakeEnv, name, other string)) error {
	return f.change(n, func(e *fakeEnv, name, other string) error {
		edit(e, name, other)
		return nil
	})
}

func makeFirst(e *fakeEnv, name, other string) { e.order = []string{name, other} }

// TestTheSuiteFindsFaults plants one fault after the other: a suite that cannot fail proves nothing.
func TestTheSuiteFindsFaults(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		flaw flawed
		by   string // what finds it
	}{
		"an arm keeps what is left of earlier tries": {flawed{arm: func(f *Fake, n slot.Name) (bool, error) {
			return true, once(f, n, func(e *fakeEnv, name, other string) {
				if e.verdict[name] == slot.Bad {
					e.left[name] = f.tries
				}
				makeFirst(e, name, other)
				e.verdict[name] = slot.Trial
			})
		}}, "armed again gives back the tries"},
		"an arm makes the slot good": {flawed{arm: func(f *Fake, n slot.Name) (bool, error) {
			return true, once(f, n, func(e *fakeEnv, name, other string) {
				makeFirst(e, name, other)
				e.verdict[name] = slot.Good
			})
		}}, "a trial nobody commits"},
		"an arm writes nothing": {flawed{arm: func(*Fake, slot.Name) (bool, error) { return true, nil }}, "a trial nobody commits"},
		"an arm loses what is not ours": {flawed{arm: func(f *Fake, n slot.Name) (bool, error) {
			reboot, err := f.Arm(ctx, n)
			if err == nil {
				err = once(f, n, func(e *fakeEnv, _, _ string) { e.rest = "" })
			}
			return reboot, err
		}}, "a trial nobody commits"},
		"an arm is two writes, the first of which makes the slot good": {flawed{arm: func(f *Fake, n slot.Name) (bool, error) {
			running, err := f.Running(ctx)
			if err != nil {
				return false, err
			}
			if s, err := f.State(ctx, running); err != nil || s.Verdict != slot.Good {
				return false, &slot.UnreadyError{Text: "not good", Advice: "confirm", Err: err}
			}
			return true, twice(f, n, func(e *fakeEnv, name, other string) {
				makeFirst(e, name, other)
				e.verdict[name] = slot.Good
			}, func(e *fakeEnv, name, _ string) { e.verdict[name], e.left[name] = slot.Trial, f.tries })
		}}, "cuts/arm"},
		"an arm looks at nothing": {flawed{arm: func(f *Fake, n slot.Name) (bool, error) {
			return true, once(f, n, func(e *fakeEnv, name, other string) {
				makeFirst(e, name, other)
				e.verdict[name], e.left[name] = slot.Trial, f.tries
			})
		}}, "the slot that runs is not good"},
		"a commit writes nothing": {flawed{commit: func(*Fake, slot.Name) error { return nil }}, "a trial that is committed"},
		"a commit passes over the other slot": {flawed{commit: func(f *Fake, n slot.Name) error {
			err := f.Commit(ctx, n)
			if err == nil {
				err = once(f, n, func(e *fakeEnv, _, other string) { e.verdict[other] = slot.Bad })
			}
			return err
		}}, "a trial that is committed"},
		"a commit has no good slot for a moment": {flawed{commit: func(f *Fake, n slot.Name) error {
			if running, err := f.Running(ctx); err != nil || running != n {
				return errors.Join(err, errors.New("it does not run"))
			}
			return twice(f, n, func(e *fakeEnv, name, other string) { e.verdict[name], e.verdict[other] = slot.Bad, slot.Bad },
				func(e *fakeEnv, name, other string) {
					makeFirst(e, name, other)
					e.verdict[name], e.verdict[other] = slot.Good, slot.Good
				})
		}}, "cuts/commit"},
		"a commit is not flushed": {flawed{commit: func(f *Fake, n slot.Name) error {
			lazy := *f
			lazy.disk.Intercept = func(op durable.Op, do func() error) error {
				if op.Kind == durable.OpSyncDir {
					return nil
				}
				return f.disk.Intercept(op, do)
			}
			return lazy.Commit(ctx, n)
		}}, "cuts/commit"},
		"a disarm believes that it has written": {flawed{disarm: func(f *Fake, n slot.Name) error {
			_ = f.Disarm(ctx, n)
			return nil
		}}, "the only good slot is kept"},
		"a disarm tells an error without a type": {flawed{disarm: func(f *Fake, n slot.Name) error {
			if err := f.Disarm(ctx, n); err != nil {
				return os.ErrPermission
			}
			return nil
		}}, "a place that cannot be written"},
	} {
		t.Run(name, func(t *testing.T) {
			by := found(t, func(t *testing.T, disk durable.Disk) *Rig {
				t.Helper()
				r := OpenFake(t, disk)
				flaw := c.flaw
				flaw.Fake = r.Loader.(*Fake)
				r.Loader = flaw
				return r
			})
			if by != c.by {
				t.Errorf("found by %q, want %q", by, c.by)
			}
		})
	}
}

// TestTheSuiteFindsLoaders plants faults in the boot loader's own half.
func TestTheSuiteFindsLoaders(t *testing.T) {
	for by, flaw := range map[string]func(r *Rig){
		// It boots the trial without having saved the try.
		"a loader that cannot save": func(r *Rig) {
			boot := r.Boot
			broken := false
			r.Unsaved = func(*testing.T) { broken = true }
			r.Boot = func(t *testing.T) slot.Name {
				t.Helper()
				path := r.Host.Path("/boot/slots")
				before, _ := os.ReadFile(path)
				n := boot(t)
				if broken {
					_ = os.WriteFile(path, before, 0o600)
				}
				return n
			}
		},
		// It does not say what it boots.
		"starts with A": func(r *Rig) {
			boot := r.Boot
			r.Boot = func(t *testing.T) slot.Name {
				t.Helper()
				n := boot(t)
				_ = os.WriteFile(r.Host.Path("/proc/cmdline"), []byte("quiet\n"), 0o600)
				return n
			}
		},
	} {
		t.Run(by, func(t *testing.T) {
			if got := found(t, func(t *testing.T, disk durable.Disk) *Rig {
				t.Helper()
				r := OpenFake(t, disk)
				flaw(r)
				return r
			}); got != by {
				t.Errorf("found by %q", got)
			}
		})
	}
}

// found is the case or the cut that has something against a rig; empty if none has.
func found(t *testing.T, open Opener) string {
	t.Helper()
	inMemory(t)
	for _, c := range cases {
		if err := c.run(newBench(t, open)); err != nil {
			t.Logf("%s: %v", c.name, err)
			return c.name
		}
	}
	for _, m := range moves {
		if n, err := cutMove(t, open, m); err != nil || n == 0 {
			t.Logf("%s: %d, %v", m.name, n, err)
			return "cuts/" + m.name
		}
	}
	return ""
}
