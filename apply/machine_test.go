package apply

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// machine is a boot loader and the machine that it boots. Each single change of what the loader keeps is a step that can fail.
type machine struct {
	faults  *durabletest.Faults
	boots   int // it has booted so often
	running slot.Name
	first   slot.Name
	states  map[slot.Name]slot.State

	dead     map[slot.Name]bool // the slot does not come up
	ignores  bool               // the loader never looks at what it was told
	readOnly bool               // what it was told cannot be changed
	split    bool               // kernel and root file system are of different slots
}

func newMachine() *machine {
	return &machine{faults: neverFails(), running: slot.A, first: slot.A, dead: map[slot.Name]bool{},
		states: map[slot.Name]slot.State{slot.A: {Verdict: slot.Good}, slot.B: {Verdict: slot.Bad}}}
}

func (m *machine) clone() *machine {
	if m == nil {
		return nil
	}
	c := *m
	c.states, c.dead = maps.Clone(m.states), maps.Clone(m.dead)
	return &c
}

func (m *machine) bootID() (string, error) { return strconv.Itoa(m.boots), nil }

// boot starts the machine until a slot comes up.
func (m *machine) boot(t *testing.T) {
	t.Helper()
	for range 10 {
		m.boots++
		m.running = m.choose()
		if !m.dead[m.running] {
			return
		}
	}
	t.Fatal("no slot comes up")
}

// choose is what the loader does.
func (m *machine) choose() slot.Name {
	if m.ignores {
		return slot.A
	}
	for _, n := range []slot.Name{m.first, m.first.Other()} {
		switch s := m.states[n]; {
		case s.Verdict == slot.Good:
			return n
		case s.Verdict == slot.Trial && s.Left > 0:
			s.Left--
			m.states[n] = s
			return n
		}
	}
	return m.first
}

func (m *machine) Running(context.Context) (slot.Name, error) {
	if m.split {
		return slot.None, splitError{}
	}
	return m.running, nil
}

// splitError is what the witnesses say of a kernel and a root file system of different slots.
type splitError struct{}

func (splitError) Error() string {
	return "the boot loader names slot B, and the root file system is that of slot A"
}
func (splitError) Disagree() bool { return true }

func (m *machine) Ready(context.Context) error { return nil }

func (m *machine) State(_ context.Context, n slot.Name) (slot.State, error) {
	s := m.states[n]
	s.First = m.first == n
	return s, nil
}

func (m *machine) set(what string, first slot.Name, n slot.Name, s slot.State) error {
	if m.readOnly {
		return &slot.UnreadyError{Text: "the environment cannot be written"}
	}
	return m.faults.Step("loader", what+" "+string(n), func() error {
		m.states[n], m.first = s, first
		return nil
	})
}

func (m *machine) Arm(_ context.Context, n slot.Name) (bool, error) {
	if m.states[n.Other()].Verdict != slot.Good {
		return false, fmt.Errorf("slot %s is not good", n.Other())
	}
	return true, m.set("arm", n, n, slot.State{Verdict: slot.Trial, Left: slot.DefaultTries})
}

func (m *machine) Commit(_ context.Context, n slot.Name) error {
	return m.set("commit", n, n, slot.State{Verdict: slot.Good})
}

func (m *machine) Disarm(_ context.Context, n slot.Name) error {
	first := m.first
	if first == n {
		first = n.Other()
	}
	return m.set("disarm", first, n, slot.State{Verdict: slot.Bad})
}

// withMachine gives the site a boot loader, and each slot a root whose place is a file.
func (s *testSite) withMachine() *testSite {
	m := s.world.machine
	dir := filepath.Dir(s.cfg.Spec.State)
	of := func(n slot.Name) *SlotConfig {
		return &SlotConfig{Boot: n.String(), Parts: map[string]string{"root": filepath.Join(dir, "root-"+string(n))}}
	}
	s.cfg.Spec.Slots = SlotsConfig{Backend: "grub", A: of(slot.A), B: of(slot.B)}
	s.deps.Loader = func() (slot.Loader, error) { return m, nil }
	s.deps.BootID = m.bootID
	s.deps.Uptime = func() (time.Duration, error) { return time.Minute, nil }
	return s
}

// root is what stands in the place of a boot slot's root; empty if that is nothing, or nothing but what the device came with.
func (s *testSite) root(n slot.Name) string {
	b, err := os.ReadFile(s.deps.Host.Path(s.cfg.Spec.Slots.places(n)["root"]))
	if err != nil {
		return ""
	}
	end := len(b)
	for end > 0 && b[end-1] == 0xaa {
		end--
	}
	return string(b[:end])
}

// os adds an operating system of one part.
func (c *content) os(root string) {
	desc := c.blob(bundle.MediaTypePart, []byte(root))
	c.d.OS = &bundle.OS{Version: c.d.Version, Parts: []bundle.OSPart{{Name: "root", Digest: desc.Digest, Size: desc.Size}}}
}
