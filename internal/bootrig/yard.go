package bootrig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// The releases of the rig, by what their operating system does.
const (
	First     = "1.0.0" // what a machine leaves the yard with
	Good      = "2.0.0"
	Panics    = "3.0.0" // the kernel panics when userspace starts
	NoKernel  = "4.0.0"
	Hangs     = "5.0.0" // pid 1 stands still
	Emergency = "6.0.0" // a disk that it wants is missing: none of its services starts
	Sick      = "7.0.0" // its check fails
	Mute      = "8.0.0" // nobody confirms it
	Headless  = "8.1.0" // its cluster does not start
	Apps      = "2.1.0" // no operating system, manifests only
	// Those below want a kernel that has its drivers in an initrd: Workshop.Generic.
	NoRoot       = "9.0.0"  // its initrd, dracut's with systemd, finds no root
	NoRootEither = "9.1.0"  // as NoRoot, with the initrd of initramfs-tools
	Halts        = "10.0.0" // its kernel stops at its first instruction
	HangsEarly   = "11.0.0" // the first process of its initrd stands still
)

// watchdogSeconds is the patience of the guests' watchdog.
const watchdogSeconds = 30

// deadlineSeconds is when the guests' timer looks for a trial that nobody has confirmed: a little after the site's deadline.
const deadlineSeconds = 62

// kernelModules are what images load, in this order; which of them a machine needs depends on its loader.
var kernelModules = []string{"fs/fat/fat.ko", "fs/fat/vfat.ko", "fs/nls/nls_cp437.ko", "fs/nls/nls_ascii.ko", "fs/efivarfs/efivarfs.ko",
	"drivers/watchdog/watchdog.ko", "drivers/watchdog/softdog.ko"}

// Yard has what the machines of one boot loader share: programs, releases, the stick, and a first machine that runs First.
type Yard struct {
	*Workshop
	Loader Loader
	// Stick is the disk with the bundles.
	Stick string
	// Images are the images of the operating systems, by version.
	Images map[string]string
	// Say, if set, is told what is done.
	Say   func(format string, args ...any)
	first *Machine
}

// NewYard makes everything. versions are the releases that are wanted beside First; files are more files for the stick, by name.
func NewYard(ctx context.Context, w *Workshop, dir string, l Loader, say func(string, ...any), files map[string]string, versions ...string) (*Yard, error) {
	y := &Yard{Workshop: w, Say: say, Loader: l, Stick: filepath.Join(dir, "stick.img"), Images: map[string]string{}}
	factory, err := NewFactory(ctx, w, filepath.Join(dir, "factory"))
	if err != nil {
		return nil, err
	}
	shelf := filepath.Join(dir, "shelf")
	shelved := maps.Clone(files)
	if shelved == nil {
		shelved = map[string]string{}
	}
	var base string
	slices.Sort(versions)
	for _, version := range slices.Concat([]string{First}, slices.Compact(versions)) {
		bundle, err := y.release(ctx, factory, dir, version, base)
		if err != nil {
			return nil, err
		}
		if version == First {
			base = bundle
		}
		shelved[filepath.Base(bundle)] = bundle
	}
	var size int64
	for name, file := range shelved {
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		size += info.Size()
		if err := copyFile(file, filepath.Join(shelf, name)); err != nil {
			return nil, err
		}
	}
	if err := MakeStick(ctx, y.Stick, shelf, (size/mib*21/20+16)*mib); err != nil {
		return nil, err
	}
	key, err := factory.PublicKey()
	if err != nil {
		return nil, err
	}
	return y, y.commission(ctx, filepath.Join(dir, "first"), key)
}

// release makes an operating system and the bundle that brings it.
func (y *Yard) release(ctx context.Context, f *Factory, dir, version, base string) (string, error) {
	r := Release{Version: version, Base: base, Cluster: y.Cluster != nil}
	if version == Apps {
		return f.Build(ctx, r)
	}
	r.Root = filepath.Join(dir, "root-"+version+".img")
	if y.Loader.Kernel.Make != nil {
		kernel, err := y.kernelOf(ctx, dir, version)
		if err != nil {
			return "", err
		}
		r.Parts = map[string]string{"kernel": kernel}
	}
	y.Images[version] = r.Root
	files := map[string]string{"boot/sallyport-slot.cfg": "set sallyport_args=\"" + kernelArgs + "\"\n"}
	root := Root{Image: y.image(version), NoKernel: version == NoKernel, Files: files}
	if err := y.early(ctx, dir, version, &root); err != nil {
		return "", err
	}
	if err := y.Root(ctx, r.Root, root); err != nil {
		return "", err
	}
	return f.Build(ctx, r)
}

// kernelOf is the kernel that a release brings to the ESP: that of NoKernel is none.
func (y *Yard) kernelOf(ctx context.Context, dir, version string) (string, error) {
	if version != NoKernel {
		return y.Loader.Kernel.Make(ctx, y.Workshop, dir)
	}
	file := filepath.Join(dir, "no-kernel")
	return file, writeFile(file, strings.Repeat("This is no program. ", 1000))
}

// kernelArgs are what an image wants on its kernel's command line. On a host with much else to do QEMU's NVMe controller now and
// then loses an interrupt; Linux then looks by itself, after 60 s unless told otherwise, and gives the disk up if it is not done
// then. A clock that ticks has no single interrupt on which
// everything waits.
const kernelArgs = "ro " + ConsoleArgs

// ConsoleArgs are those of kernelArgs that say nothing of the root.
const ConsoleArgs = "console=ttyS0 nvme_core.admin_timeout=20 nvme_core.io_timeout=10 nohz=off highres=off"

// image is what an operating system of the rig does.
func (y *Yard) image(version string) wire.Image {
	i := wire.Image{Version: version, Mode: wire.Well, Confirm: true, Watchdog: watchdogSeconds, Modules: slices.Clone(kernelModules), Mounts: mounts(), Programs: y.Cluster.programs()}
	switch version {
	case Panics:
		i.Mode = wire.Panic
	case Hangs:
		i.Mode = wire.Hang
	case Sick:
		i.Mode = wire.Sick
	case Mute:
		i.Mode = wire.Mute
	case Headless:
		i.Programs, i.Deadline = nil, headlessDeadline
	case Emergency:
		i.Deadline = deadlineSeconds
		i.Mounts = append(i.Mounts, wire.Mount{Label: "missing", Path: "/efi", Type: "ext4", Wanted: true})
	}
	return i
}

// bootTime bounds how long a machine may take from the switch, or from a reboot, until userspace runs, three tries that panic
// included. A boot takes 4 s on an idle machine, and a minute on one that has twenty other things to do.
const bootTime = 10 * time.Minute

// commission makes the first machine: it boots slot A, is set up for its loader as the documentation says, and takes First, which
// goes to slot B, for nothing says yet what slot A holds.
func (y *Yard) commission(ctx context.Context, dir, key string) error {
	data := map[string]string{"etc/site.yaml": siteYAML(y.Loader, y.Cluster), "etc/release.pub": key}
	m, err := y.New(ctx, dir, y.Loader, y.Images[First], "", data)
	if err != nil {
		return err
	}
	m.Stick = y.Stick
	s, err := m.Switch(ctx)
	if err != nil {
		return err
	}
	defer s.Off()
	s.Say = y.Say
	takeFirst := steps(answers, verb(0, "armed", "apply", Bundle(First)), reboot, boots(home, First), confirms(0, "committed"))
	if err := steps(boots("", First), y.Loader.SetUp, settles, takeFirst, (*Running).PowerOff)(s); err != nil {
		return fmt.Errorf("making the first machine: %w\n%s", err, s.Console())
	}
	y.first = m
	return nil
}

// Machine is a copy of the first machine.
func (y *Yard) Machine(ctx context.Context, dir string) (*Machine, error) {
	if y.first == nil {
		return nil, errors.New("the yard has no machine")
	}
	return y.first.Clone(ctx, dir)
}

// Bundle is where a guest finds the bundle of a version.
func Bundle(version string) string { return stickFolder + "/rig-" + version + ".tar" }
