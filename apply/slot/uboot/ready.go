package uboot

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Ready wants our script to have booted this machine with this environment, and the environment to look writable.
func (l *Loader) Ready(ctx context.Context) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return l.unready(err)
	}
	defer unlock()
	s, _, err := l.load()
	if err != nil {
		return err
	}
	if _, err := l.Running(ctx); err != nil {
		return err
	}
	if err := l.mark(s.env); err != nil {
		return err
	}
	for _, m := range s.media {
		if err := m.writable(); err != nil {
			return l.unready(err)
		}
	}
	return nil
}

// mark compares the mark of this environment with the one on the command line.
func (l *Loader) mark(e env) error {
	want, found, err := e.get(markVar)
	if err != nil {
		return l.unready(err)
	}
	if !found || want == "" {
		return &slot.UnreadyError{Text: "U-Boot's environment has no mark that its boot script could pass on: " + markVar + " is not set",
			Advice: `run: fw_setenv ` + markVar + ` "$(cat /proc/sys/kernel/random/uuid)", then boot once`}
	}
	got, found, err := l.cfg.Host.Param(host.EnvParam)
	switch {
	case err != nil:
		return err
	case !found || got == "":
		return &slot.UnreadyError{Text: "the kernel's command line has no " + host.EnvParam + "=: the boot script did not run in this boot, or it could not read the environment",
			Advice: "install docs/boot/uboot/boot.cmd as docs/bootloaders.md, chapter U-Boot, says, then boot once"}
	case got != want:
		return &slot.UnreadyError{Text: fmt.Sprintf("U-Boot has booted with another environment than the one of %s: %s=%s is on the kernel's command line, %s=%s in the environment",
			l.cfg.Path, host.EnvParam, got, markVar, want),
			Advice: "compare fw_env.config with where U-Boot and the boot script keep the environment; if the mark was just set, boot once"}
	}
	return nil
}

// strange is a boot that was not by our script, or not of one of our slots.
func (l *Loader) strange(name string, found bool) error {
	if !found {
		return &slot.UnreadyError{Text: "the kernel's command line has no " + host.SlotParam + "=: the boot script did not run in this boot",
			Advice: "install docs/boot/uboot/boot.cmd as docs/bootloaders.md, chapter U-Boot, says, then boot once"}
	}
	return &slot.UnreadyError{Text: fmt.Sprintf("the kernel's command line says %s=%s, and the slots are %s and %s", host.SlotParam, name, l.cfg.Names.A, l.cfg.Names.B),
		Advice: "give the slots in site.yaml the names that the boot script has for them"}
}

// unready is an environment that cannot be read or written.
func (l *Loader) unready(err error) error {
	u := &slot.UnreadyError{Text: "U-Boot's environment cannot be relied on", Err: err,
		Advice: "mount its file system for writing, or unlock its device; then see whether fw_printenv and fw_setenv work"}
	switch {
	case errors.Is(err, errNoGoodCopy):
		u.Advice = "compare the device, offset and size in " + l.cfg.Path + " with U-Boot's; if they are right, write the environment anew from U-Boot's own prompt"
	case errors.Is(err, errSingle):
		u.Advice = "give U-Boot a second copy and name it in " + l.cfg.Path + ", or allow the single one: uboot: {single: true} in site.yaml"
	}
	return u
}
