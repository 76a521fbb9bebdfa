package apply

import (
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot/efi/efitest"
	"github.com/sallyport-dev/sallyport/apply/slot/exec/exectest"
	"github.com/sallyport-dev/sallyport/apply/slot/gptprio/gptpriotest"
	"github.com/sallyport-dev/sallyport/apply/slot/grub/grubtest"
	"github.com/sallyport-dev/sallyport/apply/slot/rauc/rauctest"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot/systemdboottest"
	"github.com/sallyport-dev/sallyport/apply/slot/uboot/uboottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// bootModes are the ways in which a life is broken off.
func bootModes() []func(at int) slottest.Fault {
	var modes []func(at int) slottest.Fault
	for _, mode := range durabletest.Modes {
		modes = append(modes, func(at int) slottest.Fault { return &durabletest.Faults{At: at, Mode: mode} })
	}
	torn := []int{1, 3}
	if slottest.Whole() {
		torn = []int{1, 2, 3, 5, 13}
	}
	for _, sectors := range torn {
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
// Where a loader or a device is out of order from the beginning, what is refused has changed nothing.
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
		return 29, true
	}
	return 41, l.sample && loader != slowLoader
}

func crashLife(t *testing.T, f *bootFleet, open slottest.Opener, l life, step int) {
	t.Helper()
	if l.lacks != nil && l.lacks(open(t, durable.Disk{})) {
		t.Skip("this loader has no such life")
	}
	points, ends := 0, map[string]int{}
	for i, next := range l.ways() {
		for at := i % step; ; at += step {
			s := newBootSite(t, f, open)
			s.vanishing(l)
			l.before(s)
			fault := next(at)
			end, err := s.live(l, fault)
			fell := fault.Fell()
			s.breakOff(nil)
			if err == nil && !l.unsaved { // which no update gets past
				err = s.goesOn()
			}
			if err != nil {
				t.Errorf("%s: %v", fault, err)
				end = "bad"
			}
			if tear, ok := fault.(*slottest.Tear); ok && tear.Whole() {
				continue
			}
			if !fell {
				break
			}
			points++
			ends[end]++
		}
	}
	if points == 0 || !l.short && points*step < 60 {
		t.Errorf("only %d operations were broken off", points)
	}
	t.Logf("%d points: %v", points, ends)
}
