package slottest

import (
	"fmt"
	"os"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

const sector = 512

// Fault breaks one operation off: a *durabletest.Faults, or a *Tear.
type Fault interface {
	Disk() durable.Disk
	Fell() bool
	String() string
}

// gate is the disk of a rig: a good one, until a fault is set.
type gate struct {
	fault Fault
	wrote bool // bytes were written
}

func (g *gate) disk() durable.Disk {
	return durable.Disk{Intercept: func(op durable.Op, do func() error) error {
		g.wrote = g.wrote || op.Kind == durable.OpWrite
		if g.fault != nil {
			return g.fault.Disk().Intercept(op, do)
		}
		if op.Kind == durable.OpSync || op.Kind == durable.OpSyncDir {
			return nil
		}
		return do()
	}}
}

// Tear is a power cut in the middle of write At, which counts from 0: of the sectors that it changes, only the first ones reached the disk.
type Tear struct {
	At, Sectors int

	count          int
	crashed, spent bool
}

// Disk returns a disk that fails so.
func (f *Tear) Disk() durable.Disk { return durable.Disk{Intercept: f.intercept} }

// Fell tells whether the power has gone.
func (f *Tear) Fell() bool { return f.crashed }

// Whole tells whether the write came, and cannot tear: there was too little of it, or it went to a file that is renamed later.
func (f *Tear) Whole() bool { return f.spent }

// String names the write.
func (f *Tear) String() string {
	return fmt.Sprintf("write %d torn after %d sectors", f.At, f.Sectors)
}

func (f *Tear) intercept(op durable.Op, do func() error) error {
	if f.crashed {
		return durabletest.ErrCrashed
	}
	switch op.Kind {
	case durable.OpSync, durable.OpSyncDir:
		return nil
	case durable.OpWrite:
		return f.write(op, do)
	}
	return do()
}

func (f *Tear) write(op durable.Op, do func() error) error {
	at := f.count
	f.count++
	if at != f.At {
		return do()
	}
	old, err := os.ReadFile(op.Path)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	whole, err := f.tear(op.Path, old)
	if err != nil || whole {
		f.spent = true
		return err
	}
	f.crashed = true
	return durabletest.ErrCrashed
}

// tear puts back the old content of all the sectors but the first ones that the write has changed. It tells if that leaves
// nothing torn: a file that grew will be renamed, and one sector cannot tear.
func (f *Tear) tear(path string, old []byte) (whole bool, err error) {
	now, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	if len(now) != len(old) {
		return true, nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return false, err
	}
	defer file.Close()
	changed, back := 0, 0
	for from := 0; from < len(now); from += sector {
		to := min(from+sector, len(now))
		if string(now[from:to]) == string(old[from:to]) {
			continue
		}
		if changed++; changed <= f.Sectors {
			continue
		}
		back++
		if _, err := file.WriteAt(old[from:to], int64(from)); err != nil {
			return false, err
		}
	}
	return back == 0, nil
}
