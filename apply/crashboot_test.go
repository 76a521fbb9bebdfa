package apply

import (
	"context"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efi/efitest"
	"github.com/sallyport-dev/sallyport/apply/slot/exec/exectest"
	"github.com/sallyport-dev/sallyport/apply/slot/gptprio/gptpriotest"
	"github.com/sallyport-dev/sallyport/apply/slot/grub/grubtest"
	"github.com/sallyport-dev/sallyport/apply/slot/rauc/rauctest"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot/systemdboottest"
	"github.com/sallyport-dev/sallyport/apply/slot/uboot/uboottest"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// life is what people, timers and units do with a machine, one after the other, whatever becomes of it.
type life struct {
	name string
	// before is what the machine is brought to, without a fault.
	before func(s *bootSite)
	verb   func(s *bootSite) error
	// ends are the releases that the machine may come to run, in which boot slot; none of an empty list.
	ends map[*sealed]slot.Name
	// sick is the version whose checks fail, and dead the slot that does not come up with it.
	sick string
	dead slot.Name
	// unsaved is a loader that cannot store a used-up try.
	unsaved bool
	// data are the number that the data may be at, by the release that runs in the end.
	data map[*sealed]int
	// sample is of what is tried with every loader, too.
	sample bool
}

func (f *bootFleet) lives() []life {
	ctx := context.Background()
	first := func(s *bootSite) { s.reach(f.one); s.data.n = 2 }
	second := func(s *bootSite) { first(s); s.reach(f.two); s.data.n = 20 }
	apply := func(b sealed) func(s *bootSite) error {
		return func(s *bootSite) error { _, err := s.apply(b); return err }
	}
	old, both := map[*sealed]slot.Name{&f.one: slot.B}, map[*sealed]slot.Name{&f.one: slot.B, &f.two: slot.A}
	kept := map[*sealed]int{&f.one: 2, &f.two: 20}
	return []life{
		{name: "first operating system", before: func(s *bootSite) { s.data.n = 2 }, verb: apply(f.one),
			ends: map[*sealed]slot.Name{nil: slot.A, &f.one: slot.B}, data: map[*sealed]int{nil: 2, &f.one: 2}},
		{name: "update", before: first, verb: apply(f.two), ends: both, data: kept, sample: true},
		{name: "update whose checks fail", before: first, verb: apply(f.two), ends: old, data: kept, sick: "2.0.0", sample: true},
		{name: "update that does not start", before: first, verb: apply(f.two), ends: old, data: kept, dead: slot.A},
		{name: "update with a loader that cannot save", before: first, verb: apply(f.two), ends: old, data: kept, unsaved: true},
		{name: "staged, then applied", before: func(s *bootSite) {
			first(s)
			if _, err := s.Stage(ctx, f.two.input(), Options{}); err != nil {
				s.t.Fatal(err)
			}
		}, verb: func(s *bootSite) error { _, err := s.ApplyStaged(ctx, Options{}); return err }, ends: both, data: kept},
		{name: "second update before the reboot", before: func(s *bootSite) {
			first(s)
			if _, err := s.apply(f.three); err != nil {
				s.t.Fatal(err)
			}
		}, verb: apply(f.two), ends: map[*sealed]slot.Name{&f.one: slot.B, &f.two: slot.A, &f.three: slot.A},
			data: map[*sealed]int{&f.one: 2, &f.two: 20, &f.three: 2}},
		{name: "manifests alone", before: first, verb: apply(f.bare), ends: map[*sealed]slot.Name{&f.one: slot.B, &f.bare: slot.B},
			data: map[*sealed]int{&f.one: 2, &f.bare: 2}},
		{name: "rollback", before: second, verb: func(s *bootSite) error {
			_, err := s.Rollback(ctx, RollbackOptions{KeepData: true})
			return err
		}, ends: both, data: map[*sealed]int{&f.one: 20, &f.two: 20}},
	}
}

// bootModes are the ways in which a life is broken off.
func bootModes() []func(at int) slottest.Fault {
	var modes []func(at int) slottest.Fault
	for _, mode := range durabletest.Modes {
		modes = append(modes, func(at int) slottest.Fault { return &durabletest.Faults{At: at, Mode: mode} })
	}
	for _, sectors := range []int{1, 3} {
		modes = append(modes, func(at int) slottest.Fault { return &slottest.Tear{At: at, Sectors: sectors} })
	}
	return modes
}

// simpleLoader is a fake; the real RAUC, which is started with each machine, is slow.
const (
	simpleLoader = "a simple loader"
	slowLoader   = "rauc"
)

// bootLoaders are the models of all boot loaders.
func bootLoaders() map[string]slottest.Opener {
	return map[string]slottest.Opener{
		"a simple loader":              slottest.OpenFake,
		"exec":                         exectest.Open,
		"efi":                          efitest.Open,
		"gptprio":                      gptpriotest.Open,
		"gptprio, ChromeOS":            gptpriotest.OpenChromeOS,
		"grub":                         grubtest.Open,
		"grub, RAUC's script":          grubtest.OpenRAUC,
		"rauc":                         rauctest.Open,
		"systemd-boot":                 systemdboottest.Open,
		"systemd-boot, unified images": systemdboottest.OpenImages,
		"uboot":                        uboottest.Open,
		"uboot, on a disk":             uboottest.OpenDisk,
	}
}

// TestBootCrashMatrix breaks the life of a machine with a boot loader off at each operation in each way: of the disk, of the parts, of
// the loader, of backup and restore, of mirror and target. Then the machine is started again, as often as it takes, and held to this:
//
//   - what is booted is whole, and there is always something to boot;
//   - it comes to rest in a slot that is good and the first, with the manifests and the data of that slot's release;
//   - the status says so;
//   - the next update works.
//
// The simple loader goes through all lives, the others through a sample of them; with $SALLYPORT_MATRIX=all every loader goes through
// all of them at every single operation.
func TestBootCrashMatrix(t *testing.T) {
	f := newBootFleet(t)
	for name, open := range bootLoaders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, l := range f.lives() {
				step, ok := sampled(name, l)
				if !ok {
					continue
				}
				t.Run(l.name, func(t *testing.T) { crashLife(t, f, open, l, step) })
			}
		})
	}
}

// sampled says whether a life is gone through with a loader, and how many operations are passed over each time.
func sampled(loader string, l life) (step int, ok bool) {
	switch {
	case slottest.Whole():
		return 1, true
	case loader == simpleLoader:
		return 11, true
	}
	return 41, l.sample && loader != slowLoader
}

func crashLife(t *testing.T, f *bootFleet, open slottest.Opener, l life, step int) {
	t.Helper()
	points := 0
	for i, next := range bootModes() {
		for at := i % step; ; at += step {
			s := newBootSite(t, f, open)
			if l.unsaved && s.rig.Unsaved == nil {
				return // a loader that saves nothing
			}
			l.before(s)
			fault := next(at)
			err := s.live(l, fault)
			fell := fault.Fell()
			s.breakOff(nil)
			if err == nil && !l.unsaved { // which no update gets past
				err = s.goesOn()
			}
			if err != nil {
				t.Errorf("%s: %v", fault, err)
			}
			if tear, ok := fault.(*slottest.Tear); ok && tear.Whole() {
				continue
			}
			if !fell {
				break
			}
			points++
		}
	}
	if points*step < 60 {
		t.Errorf("only %d operations were broken off", points)
	}
	t.Logf("%d points", points)
}
