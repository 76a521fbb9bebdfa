package systemdboot

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/efivar"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// bootCounting is the bit of LoaderFeatures by which a loader says that it counts (Boot Loader Interface).
const bootCounting = 1 << 4

const featuresBytes = 8

// said is a variable that the loader has set in this boot of the firmware; empty if it has not. A variable that the system itself
// can have made is no word of the loader's.
func (l *Loader) said(name string) (string, error) {
	v, err := l.vars.Read(name, efivar.Loader)
	if errors.Is(err, fs.ErrNotExist) || err == nil && v.Attributes&efivar.NonVolatile != 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	s, err := v.Text()
	if err != nil {
		return "", fmt.Errorf("the EFI variable %s %w", name, err)
	}
	return s, nil
}

// Ready wants systemd-boot's own marks of this boot, on this ESP, and entries among which ours come first.
func (l *Loader) Ready(ctx context.Context) error {
	for _, check := range []func(context.Context) error{l.counts, l.sameBoot, l.sameESP, l.free, l.first} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return l.writable()
}

// counts wants a loader that counts.
func (l *Loader) counts(context.Context) error {
	info, err := l.said("LoaderInfo")
	if err != nil {
		return err
	}
	if info == "" {
		return &slot.UnreadyError{
			Text:   "this machine was not booted by systemd-boot: the EFI variable LoaderInfo is missing",
			Advice: "install it with bootctl install and boot by it; mount efivarfs at " + efivar.Dir,
		}
	}
	v, err := l.vars.Read("LoaderFeatures", efivar.Loader)
	if err != nil || v.Attributes&efivar.NonVolatile != 0 || len(v.Data) != featuresBytes || binary.LittleEndian.Uint64(v.Data)&bootCounting == 0 {
		return &slot.UnreadyError{Text: info + " does not count boots", Advice: "install a loader that does: bootctl update", Err: err}
	}
	return nil
}

// sameBoot wants the loader's word to be about the kernel that runs: after kexec or a soft reboot it is about an earlier one.
func (l *Loader) sameBoot(ctx context.Context) error {
	running, err := l.Running(ctx)
	if err != nil {
		return err
	}
	token, found, err := l.Host.Param(host.SlotParam)
	switch {
	case err != nil:
		return err
	case running == slot.None:
		selected, _ := l.said("LoaderEntrySelected")
		return &slot.UnreadyError{
			Text:   fmt.Sprintf("systemd-boot has booted %q, which is the entry of no slot", selected),
			Advice: fmt.Sprintf("boot by %s or %s in %s", goodFile(l.Names.A), goodFile(l.Names.B), filepath.Join(l.ESP, entriesDir)),
		}
	case !found:
		return &slot.UnreadyError{
			Text:   "the kernel's command line does not tell the slot",
			Advice: fmt.Sprintf("add %s=%s to the options of the slot's entry, and the like for the other one; then boot again", host.SlotParam, l.Names.Of(running)),
		}
	case l.slot(token) != running:
		return &slot.UnreadyError{
			Text:   fmt.Sprintf("the kernel's command line tells slot %s, and systemd-boot has booted %s", token, l.Names.Of(running)),
			Advice: "after kexec or a soft reboot boot the machine anew; else correct " + host.SlotParam + " in the entries",
		}
	}
	return nil
}

// sameESP wants the mounted ESP to be the one that the loader was started from.
func (l *Loader) sameESP(context.Context) error {
	guid, err := l.said("LoaderDevicePartUUID")
	if err != nil {
		return err
	}
	mount, err := l.Host.MountOf(l.ESP)
	if err != nil {
		return l.unmounted(l.ESP, err)
	}
	p, err := l.Host.Partition(guid)
	if err != nil || p.Device != mount.Device {
		return &slot.UnreadyError{
			Text:   fmt.Sprintf("systemd-boot was started from the partition %s, and %s holds %s (%s)", guid, l.ESP, mount.Source, mount.Device),
			Advice: "mount the ESP that the machine boots from there, or name its folder in site.yaml, spec.slots.systemdBoot.esp",
			Err:    err,
		}
	}
	return nil
}

// writable wants file systems with entries that are mounted for writing.
func (l *Loader) writable() error {
	mounts, err := l.mounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.ReadOnly {
			return &slot.UnreadyError{Text: m.Point + " is mounted read-only", Advice: "mount it for writing: mount -o remount,rw " + m.Point}
		}
	}
	return nil
}

// mounts are the file systems with entries. An empty folder in their place would be taken for a loader without entries.
func (l *Loader) mounts() (all []host.Mount, err error) {
	for _, dir := range []string{l.ESP, l.Extended} {
		if dir == "" {
			continue
		}
		// Reading it makes systemd mount it, where it does that on demand.
		if _, err := list(l.Host.Path(dir)); err != nil {
			return nil, l.unmounted(dir, err)
		}
		m, err := l.Host.MountOf(dir)
		if err != nil {
			return nil, l.unmounted(dir, err)
		}
		if m.Type != "vfat" {
			return nil, l.unmounted(dir, fmt.Errorf("it is on %s, of type %s, and the firmware writes to vfat only", m.Source, m.Type))
		}
		all = append(all, m)
	}
	return all, nil
}

func (l *Loader) unmounted(dir string, err error) error {
	return &slot.UnreadyError{Text: "no ESP is mounted at " + dir, Advice: "mount it there, or name its folder in site.yaml, spec.slots.systemdBoot", Err: err}
}

// free wants nobody else to have chosen an entry: that beats the counter.
func (l *Loader) free(context.Context) error {
	what, err := l.chosenElsewhere()
	if err == nil && what != "" {
		err = &slot.UnreadyError{
			Text:   what + " chooses an entry, whatever is left of its tries",
			Advice: `take the choice back: bootctl set-default "", bootctl set-oneshot "", and no line default in loader.conf`,
		}
	}
	return err
}

// chosenElsewhere names what chooses an entry before the order does; empty if nothing does.
func (l *Loader) chosenElsewhere() (string, error) {
	for _, name := range []string{"LoaderEntryOneShot", "LoaderEntryDefault", "LoaderEntryPreferred"} {
		v, err := l.vars.Read(name, efivar.Loader)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", err
		}
		entry, err := v.Text()
		if err != nil {
			entry = "?"
		}
		if entry != "" {
			return fmt.Sprintf("the EFI variable %s (%s)", name, entry), nil
		}
	}
	path := filepath.Join("loader", "loader.conf")
	content, err := readFile(filepath.Join(l.Host.Path(l.ESP), path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, line := range parseLines(string(content), " \t") {
		if line.key == "default" || line.key == "preferred" {
			return fmt.Sprintf("the line %q in %s", strings.TrimSpace(line.text), filepath.Join(l.ESP, path)), nil
		}
	}
	return "", nil
}

// first wants both slots to have an entry, and no entry of others to come before that of the slot that runs: it would be what a
// trial falls back to.
func (l *Loader) first(ctx context.Context) error {
	for _, n := range []slot.Name{slot.A, slot.B} {
		files, err := l.files(n)
		if err != nil {
			return err
		}
		if err := l.token(n, files[0]); err != nil {
			return err
		}
	}
	running, err := l.Running(ctx)
	if err != nil {
		return err
	}
	t, err := readTree(l.roots())
	if err != nil {
		return err
	}
	for _, e := range t {
		if e.content != nil && l.slot(e.stem) == running {
			return nil
		}
		if e.content == nil || l.slot(e.stem) == slot.None {
			return &slot.UnreadyError{
				Text: fmt.Sprintf("the entry %s comes before that of the slot that runs", e.file),
				Advice: "give the slots' entries a sort-key that comes before those of others, or remove that entry; " +
					"a unified kernel image of a slot belongs elsewhere than in EFI/Linux, with an entry that starts it",
			}
		}
	}
	return &slot.UnreadyError{
		Text:   fmt.Sprintf("systemd-boot would not find the entry of slot %s again, which runs", running),
		Advice: "look at bootctl list: is the slot's kernel there?",
	}
}

// token wants an entry with a command line to tell its own slot there; an image may have it inside.
func (l *Loader) token(n slot.Name, f slotFile) error {
	content, err := readFile(f.path())
	if err != nil {
		return err
	}
	var options []string
	for _, line := range parseLines(string(content), " \t") {
		if line.key == "options" {
			options = append(options, strings.Fields(line.value)...)
		}
	}
	want := host.SlotParam + "=" + l.Names.Of(n)
	if len(options) == 0 || slices.Contains(options, want) {
		return nil
	}
	return &slot.UnreadyError{
		Text:   fmt.Sprintf("the options of the entry %s do not tell its slot", f.file),
		Advice: "add " + want + " to them",
	}
}
