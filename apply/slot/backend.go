package slot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Backend knows which slot runs and can make the other one run: a boot loader, or None for a site whose operating
// system is not ours. The current slot is what the backend says, never what the journal hopes.
type Backend interface {
	// Running returns the slot that runs now, None if no release does.
	Running(ctx context.Context) (Name, error)
	// Arm puts the slot on trial. With reboot true it runs after the next reboot, and the backend falls back to the
	// slot committed last if nobody commits it; otherwise it runs from now on, and going back means arming the other
	// slot. Arming None takes every slot out of use.
	Arm(ctx context.Context, n Name) (reboot bool, err error)
	// Commit makes the running slot the one that every later start runs.
	Commit(ctx context.Context, n Name) error
}

const runningFile = "running"

// NoBackend is the backend "none": a file beside the slots records the one that runs. Switching takes no reboot.
func (s *Store) NoBackend() Backend { return noBackend{s} }

type noBackend struct{ store *Store }

func (b noBackend) path() string { return filepath.Join(b.store.dir, runningFile) }

// Running reads the record.
func (b noBackend) Running(context.Context) (Name, error) {
	data, err := os.ReadFile(b.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return None, nil
	case err != nil:
		return None, failed("read which slot runs", err)
	}
	switch string(data) {
	case "a\n":
		return A, nil
	case "b\n":
		return B, nil
	}
	return None, &recordError{b.path()}
}

// Arm writes the record.
func (b noBackend) Arm(_ context.Context, n Name) (bool, error) {
	var err error
	if n == None {
		err = b.store.disk.Remove(b.path())
	} else if err = n.check(); err == nil {
		err = b.store.disk.WriteFile(b.path(), []byte(string(n)+"\n"), 0o644)
	}
	if err != nil {
		return false, failed("make slot "+n.String()+" the running one", err)
	}
	return false, nil
}

// Commit has nothing to write: the record already outlives a restart.
func (b noBackend) Commit(ctx context.Context, n Name) error {
	running, err := b.Running(ctx)
	if err != nil {
		return err
	}
	if running != n {
		return fmt.Errorf("cannot commit slot %s: slot %s runs", n, running)
	}
	return nil
}

// recordError is a record that names no slot.
type recordError struct{ path string }

func (e *recordError) Error() string  { return e.path + " is damaged: it names no slot" }
func (e *recordError) Reason() string { return "slot" }
func (e *recordError) Hint() string {
	return "write the letter of the slot that runs, a or b, into that file; sallyport history tells which it is"
}
