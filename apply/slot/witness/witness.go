// Package witness asks three witnesses which slot runs, and believes them only together: the kernel's command line, on which our
// boot scripts put the slot's name; the device of the root file system; and the boot loader's own word. A loader that fell back
// while the root was chosen on its own is a kernel of one slot with the root of the other: that is never good.
package witness

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Loader is a boot loader whose word is held against the two other witnesses. What arms or commits a slot is refused where they
// disagree; what takes one out of use is not.
type Loader struct {
	slot.Loader
	// Alone says that the loader's word will do where the others know nothing: a program of the site's speaks for the loader, which
	// knows the running slot by what neither of them looks at, such as the deployment of an image-based system.
	Alone bool

	host   host.Host
	names  slot.BootNames
	places map[slot.Name]map[string]string
}

// New asks all three witnesses where l is asked. places are those of the slots' parts.
func New(l slot.Loader, h host.Host, names slot.BootNames, places map[slot.Name]map[string]string) *Loader {
	return &Loader{Loader: l, host: h, names: names, places: places}
}

// Unwrap is the boot loader alone.
func (l *Loader) Unwrap() slot.Loader { return l.Loader }

// DisagreeError is a machine whose witnesses name different slots.
type DisagreeError struct {
	Token  slot.Name // the command line's
	Root   slot.Name // whose part the root file system is
	Loader slot.Name
	Device string // the root file system's, major:minor
}

func (e *DisagreeError) Error() string {
	var said []string
	for _, w := range []struct {
		text string
		n    slot.Name
	}{
		{"the kernel's command line names slot %s", e.Token},
		{"the root file system (device " + e.Device + ") is that of slot %s", e.Root},
		{"the boot loader says slot %s", e.Loader},
	} {
		if w.n != slot.None {
			said = append(said, fmt.Sprintf(w.text, w.n))
		}
	}
	return "nothing tells which slot runs: " + strings.Join(said, ", ")
}

// Disagree is true: see apply.
func (*DisagreeError) Disagree() bool { return true }

// Reason is the stable word for scripts.
func (*DisagreeError) Reason() string { return "slots" }

// Hint says what to do next.
func (*DisagreeError) Hint() string {
	return "have each slot's boot entry name kernel and root of that slot (root=PARTUUID=…; see docs/bootloaders.md), and boot the machine again"
}

// Running is what the witnesses say together. One that knows nothing is passed over: a machine whose slots share a root file system
// has no second witness. Nobody but the loader is no answer.
func (l *Loader) Running(ctx context.Context) (slot.Name, error) {
	said, err := l.Loader.Running(ctx)
	if err != nil {
		return slot.None, err
	}
	name, err := l.host.SlotName()
	if err != nil {
		return slot.None, err
	}
	token := l.names.Slot(name)
	if name != "" && token == slot.None {
		return slot.None, &slot.UnreadyError{Text: fmt.Sprintf("the kernel's command line names slot %.40q, which is neither %s nor %s", name, l.names.A, l.names.B),
			Advice: "write the names that the boot loader has for the slots into spec.slots.a.boot and spec.slots.b.boot of site.yaml"}
	}
	root, device, err := rootOf(l.host, l.places)
	if err != nil {
		return slot.None, err
	}
	if l.Alone && token == slot.None && root == slot.None {
		return said, nil
	}
	return agree(&DisagreeError{Token: token, Root: root, Loader: said, Device: device})
}

func agree(e *DisagreeError) (slot.Name, error) {
	if e.Token == slot.None && e.Root == slot.None {
		return slot.None, &slot.UnreadyError{Text: "neither the kernel's command line nor the root file system tells which slot runs",
			Advice: "put " + host.SlotParam + "=NAME on the command line of each slot's boot entry; see docs/bootloaders.md"}
	}
	one := slot.None
	for _, n := range []slot.Name{e.Token, e.Root, e.Loader} {
		if n == slot.None {
			continue
		}
		if one != slot.None && n != one {
			return slot.None, e
		}
		one = n
	}
	return one, nil
}

// Ready wants the witnesses to agree, and the command line to name a root that only one slot has: after the update that is about to
// be armed both slots may hold the same image.
func (l *Loader) Ready(ctx context.Context) error {
	if _, err := l.Running(ctx); err != nil {
		return err
	}
	if l.Alone {
		return l.Loader.Ready(ctx)
	}
	root, _, err := l.host.Param("root")
	if err != nil {
		return err
	}
	if ambiguous(root) && l.onDevices() {
		return &slot.UnreadyError{Text: fmt.Sprintf("the kernel's command line does not tell the slot: root=%.80s lies in the image, and both slots may hold the same one", root),
			Advice: "have each slot's boot entry say root=PARTUUID=… or root=PARTLABEL=…; see docs/bootloaders.md"}
	}
	return l.Loader.Ready(ctx)
}

// onDevices tells whether slots have partitions of their own. Where they differ in files only they may share a root file system.
func (l *Loader) onDevices() bool {
	for _, places := range l.places {
		for _, path := range places {
			if _, ok := l.host.BlockDevice(path); ok {
				return true
			}
		}
	}
	return false
}

// ambiguous tells whether a root is named by what stands in its file system.
func ambiguous(root string) bool {
	for _, prefix := range []string{"UUID=", "LABEL=", "/dev/disk/by-uuid/", "/dev/disk/by-label/"} {
		if strings.HasPrefix(root, prefix) {
			return true
		}
	}
	return false
}

// Arm is the loader's, where the witnesses agree.
func (l *Loader) Arm(ctx context.Context, n slot.Name) (bool, error) {
	if _, err := l.Running(ctx); err != nil {
		return false, err
	}
	return l.Loader.Arm(ctx, n)
}

// Commit is the loader's, where the witnesses agree on that very slot.
func (l *Loader) Commit(ctx context.Context, n slot.Name) error {
	switch running, err := l.Running(ctx); {
	case err != nil:
		return err
	case running != n:
		return fmt.Errorf("cannot commit slot %s: slot %s runs", n, running)
	}
	return l.Loader.Commit(ctx, n)
}
