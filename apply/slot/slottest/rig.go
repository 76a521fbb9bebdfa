package slottest

import (
	"os"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// Rig is a machine with a boot loader. When it is opened, slot A is good, first and running, and was booted by our script; B is
// good or bad, as that loader's machines begin.
type Rig struct {
	// Loader is what is under test. It writes through the disk that the rig was opened with: each write, flush and rename of its
	// own is an operation of that disk, and so is each call of a tool that writes.
	Loader slot.Loader
	// Host is the machine as the last boot left it.
	Host host.Host
	// Tries is how often the loader boots a slot on trial.
	Tries int
	// Coarse is of a loader that does not tell a trial from a good slot, nor how many tries are left.
	Coarse bool
	// Slow is of a loader that takes seconds where others take moments: of its steps only the commit is broken off, unless
	// $SALLYPORT_MATRIX is "all".
	Slow bool
	// Boot is one start of the machine: the model reads the place of state, takes a try where one is due, leaves behind what the
	// loader leaves (command line, variables) and returns the slot that runs now; slot.None if there is nothing to boot.
	Boot func(t *testing.T) slot.Name
	// Break makes the place of state one that can be read but not written; Mend makes it as it was.
	Break, Mend func(t *testing.T)
	// Foreign is everything in the place of state that is not ours, in whatever form.
	Foreign func(t *testing.T) string
	// Unsaved, if set, makes the boot loader itself unable to save a used-up try, from now on. Nil is of a loader that saves none.
	Unsaved func(t *testing.T)
	// Stranger, if set, makes the machine one that something else than our script has booted.
	Stranger func(t *testing.T)
}

// Opener opens a rig whose loader writes through disk.
type Opener func(t *testing.T, disk durable.Disk) *Rig

// Run holds a loader to everything that this package knows.
func Run(t *testing.T, open Opener) {
	t.Helper()
	inMemory(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newBench(t, open)
			if err := c.run(s); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("cuts", func(t *testing.T) {
		all := !open(t, durable.Disk{}).Slow || Whole()
		for _, m := range moves {
			if !all && !m.sample {
				continue
			}
			t.Run(m.name, func(t *testing.T) {
				n, err := cutMove(t, open, m)
				if err != nil {
					t.Error(err)
				}
				if n == 0 {
					t.Error("nothing was broken off: the loader does not write through the rig's disk")
				}
			})
		}
	})
}

// inMemory keeps the many small files of these tests in memory where that is possible.
func inMemory(t *testing.T) {
	t.Helper()
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" {
		t.Setenv("TMPDIR", shm)
	}
}

// Whole tells whether tests are to go through everything, which takes minutes, and not through a sample of it.
func Whole() bool { return os.Getenv("SALLYPORT_MATRIX") == "all" }
