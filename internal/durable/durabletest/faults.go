// Package durabletest makes a durable.Disk fail, once, at any chosen operation and in any of four ways.
//
// A test runs the same work again and again, with the fault at operation 0, 1, 2, … until no fault fell, and looks
// each time at what the disk holds:
//
//	for _, mode := range durabletest.Modes {
//		for at := 0; ; at++ {
//			faults := &durabletest.Faults{At: at, Mode: mode}
//			err := work(faults.Disk())
//			… inspect what is on disk, then run the work again with durable.Disk{} …
//			if !faults.Fell() {
//				break
//			}
//		}
//	}
package durabletest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Mode is what happens at the chosen operation.
type Mode string

const (
	// Fail refuses the operation.
	Fail Mode = "fail"
	// FailButPersist performs it and reports failure all the same.
	FailButPersist Mode = "fail but persist"
	// Crash stops the world before the operation; what was not flushed is lost.
	Crash Mode = "crash"
	// CrashAfterPersist stops the world after the operation; everything so far reached the disk.
	CrashAfterPersist Mode = "crash after persist"
)

// Modes are all the ways of failing.
var Modes = []Mode{Fail, FailButPersist, Crash, CrashAfterPersist}

// ErrFault is the error of the operation that was chosen to fail.
var ErrFault = errors.New("injected disk fault")

// ErrCrashed is the error of every operation after the world has stopped. Work that sees it must not have any
// further effect; Crashed tells other fakes of the same test to refuse too.
var ErrCrashed = errors.New("the machine has crashed")

// Faults makes one operation fail. At counts from 0.
type Faults struct {
	At   int
	Mode Mode
	// Before, if set, is called with the number of each operation before it is performed.
	Before func(at int)

	mu      sync.Mutex
	count   int
	crashed bool
	op      durable.Op
	undo    []undo
}

// undo takes back an operation whose effect was not flushed yet. It is void once key, a file or directory, has been
// flushed. path is what back works on; it follows the renames that have been flushed since.
type undo struct {
	key  string
	path string
	op   durable.Op
	back func(path string)
}

// Disk returns a disk that fails as chosen.
func (f *Faults) Disk() durable.Disk { return durable.Disk{Intercept: f.intercept} }

// Fell tells whether the fault has happened: false once At is beyond the last operation.
func (f *Faults) Fell() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count > f.At
}

// Crashed tells whether the world has stopped.
func (f *Faults) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// String names the mode, the count and the operation that failed.
func (f *Faults) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%s at operation %d (%s %s)", f.Mode, f.At, f.op.Kind, f.op.Path)
}

// Step lets a fake that is not a disk (a mirror, a target) count as one more operation that can fail.
func (f *Faults) Step(kind, path string, do func() error) error {
	return f.intercept(durable.Op{Kind: durable.Kind(kind), Path: path}, do)
}

func (f *Faults) intercept(op durable.Op, do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return ErrCrashed
	}
	at := f.count
	f.count++
	if f.Before != nil {
		f.Before(at)
	}
	if at != f.At {
		return f.perform(op, do)
	}
	f.op = op
	switch f.Mode {
	case Fail:
		return ErrFault
	case FailButPersist:
		return errors.Join(f.perform(op, do), ErrFault)
	case Crash:
		f.crashed = true
		for i := len(f.undo) - 1; i >= 0; i-- {
			f.undo[i].back(f.undo[i].path)
		}
	case CrashAfterPersist:
		f.crashed = true
		return errors.Join(do(), ErrCrashed)
	}
	return ErrCrashed
}

// perform does the operation and keeps how to take it back, until it is flushed.
func (f *Faults) perform(op durable.Op, do func() error) error {
	if op.Kind == durable.OpSync || op.Kind == durable.OpSyncDir {
		// What is flushed is known here, so the real disk need not be waited for.
		f.flushed(op.Path)
		return nil
	}
	if f.Mode != Crash {
		return do() // nothing will have to be taken back
	}
	back := prepare(op)
	if err := do(); err != nil {
		return err
	}
	if back.back != nil {
		f.undo = append(f.undo, back)
	}
	return nil
}

// flushed forgets what can no longer be taken back. A file that was renamed into the flushed directory keeps its new
// name from here on, be its content flushed or not.
func (f *Faults) flushed(key string) {
	var kept []undo
	for _, u := range f.undo {
		if u.key != key {
			kept = append(kept, u)
			continue
		}
		if u.op.To != "" {
			follow(kept, u.op)
		}
	}
	f.undo = kept
}

func follow(undos []undo, op durable.Op) {
	for i, u := range undos {
		if rest, ok := strings.CutPrefix(u.path, op.Path); ok {
			undos[i].path = op.To + rest
		}
	}
}

// prepare saves what op is about to change.
func prepare(op durable.Op) undo {
	u := undo{key: parent(op.Path), path: op.Path, op: op}
	switch op.Kind {
	case durable.OpWrite, durable.OpTruncate:
		old, err := os.ReadFile(op.Path)
		if err != nil {
			return undo{}
		}
		u.key = op.Path
		u.back = func(path string) { _ = os.WriteFile(path, old, 0o600) }
	case durable.OpRename:
		// What the rename replaced comes back, too.
		old := save(op.To)
		u.back = func(path string) {
			_ = os.Rename(op.To, path)
			old(op.To)
		}
	case durable.OpExchange:
		u.back = func(path string) { swap(path, op.To) }
	case durable.OpMkdir:
		u.back = func(path string) { _ = os.RemoveAll(path) }
	case durable.OpRemove:
		u.back = save(op.Path)
	}
	return u
}
