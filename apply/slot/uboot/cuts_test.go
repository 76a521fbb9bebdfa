package uboot_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/apply/slot/uboot/uboottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// pair is the two files of a rig's environment.
type pair struct {
	t *testing.T
	*slottest.Rig
}

var envFiles = []string{"/boot/uboot.env", "/boot/uboot-redund.env"}

func (p pair) read() (files [2][]byte) {
	p.t.Helper()
	for i, path := range envFiles {
		data, err := os.ReadFile(p.Host.Path(path))
		if err != nil {
			p.t.Fatal(err)
		}
		files[i] = data
	}
	return files
}

func (p pair) put(files [2][]byte) {
	p.t.Helper()
	for i, path := range envFiles {
		if err := os.WriteFile(p.Host.Path(path), files[i], 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}

// next is what the model boots if the files are those; it leaves them so.
func (p pair) next(files [2][]byte) slot.Name {
	p.t.Helper()
	p.put(files)
	defer p.put(files)
	return p.Boot(p.t)
}

// replay lets the model boot what a power cut can leave between two states of the files: every number of sectors of a write, and
// sectors at random. It returns how many states there are and how many boot neither what the first nor what the second boots.
func (p pair) replay(before, after [2][]byte, r *rand.Rand) (states, bad int) {
	p.t.Helper()
	const sector = 512
	count := len(before[0]) / sector
	var changed []int // sectors of both files, in the order in which they are written
	for i := range 2 {
		if !bytes.Equal(before[i], after[i]) {
			for s := range count {
				changed = append(changed, i*count+s)
			}
		}
	}
	was, is := p.next(before), p.next(after)
	for n := range 2 * len(changed) {
		cut := [2][]byte{bytes.Clone(before[0]), bytes.Clone(before[1])}
		for at, s := range changed {
			if n < len(changed) && at < n || n >= len(changed) && r.IntN(2) == 0 {
				from := s % count * sector
				copy(cut[s/count][from:from+sector], after[s/count][from:])
			}
		}
		states++
		if got := p.next(cut); got != was && got != is || got == slot.None {
			bad++
		}
	}
	p.put(after)
	return states, bad
}

// update is an update that is armed, tried, committed, and its way back; look is called after each write.
func (p pair) update(look func(before, after [2][]byte)) {
	p.t.Helper()
	step := func(do func() error) {
		before := p.read()
		if err := do(); err != nil {
			p.t.Fatal(err)
		}
		look(before, p.read())
	}
	arm := func(n slot.Name) func() error {
		return func() error {
			_, err := p.Loader.Arm(p.t.Context(), n)
			return err
		}
	}
	for _, n := range []slot.Name{slot.B, slot.A} {
		step(func() error { return p.Loader.Disarm(p.t.Context(), n) })
		step(arm(n))
		p.Boot(p.t)
		step(func() error { return p.Loader.Commit(p.t.Context(), n) })
	}
}

// cutUpdates replays so many updates, and wants no state to be bad.
func cutUpdates(t *testing.T, updates, least int) {
	p := pair{t, uboottest.Open(t, durable.Disk{})}
	r := rand.New(rand.NewPCG(18, 1))
	states, bad := 0, 0
	for range updates {
		p.update(func(before, after [2][]byte) {
			s, b := p.replay(before, after, r)
			states, bad = states+s, bad+b
		})
	}
	if states < least || bad > 0 {
		t.Errorf("%d of %d states are bad", bad, states)
	}
	t.Logf("%d states, %d bad", states, bad)
}

func TestPowerCutAnywhere(t *testing.T) { cutUpdates(t, 1, 150) }

// The proof of the proof: a writer that changes both copies before it flushes loses both.
func TestPowerCutFindsWhoWritesBothCopies(t *testing.T) {
	p := pair{t, uboottest.Open(t, durable.Disk{})}
	r := rand.New(rand.NewPCG(18, 2))
	bad := 0
	p.update(func(before, after [2][]byte) {
		for i := range 2 {
			if bytes.Equal(before[i], after[i]) {
				after[i] = bytes.Clone(after[1-i])
			}
		}
		_, b := p.replay(before, after, r)
		bad += b
	})
	if bad == 0 {
		t.Error("no state is bad")
	}
}
