package gptprio

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Ready wants the loader to have told this kernel which partition it booted, and the GPT to be whole and to look writable.
func (l *Loader) Ready(context.Context) error {
	g, p, err := l.load()
	if err != nil {
		return err
	}
	if _, err := l.running(p); err != nil {
		return err
	}
	if err := g.mendable(); err != nil {
		return l.unready(err)
	}
	if err := l.cfg.Host.Writable(l.cfg.Device); err != nil {
		return l.unready(err)
	}
	return nil
}

// Running is the slot that the loader has put on the kernel's command line.
func (l *Loader) Running(context.Context) (slot.Name, error) {
	_, p, err := l.load()
	if err != nil {
		return slot.None, err
	}
	return l.running(p)
}

// guidParams are what stands before the GUID of a partition on the command line, in lower case: Flatcar has it as
// mount.usr=PARTUUID= or verity.usr=PARTUUID=, Bottlerocket in dm-mod.create=, ChromeOS as kern_guid=.
var guidParams = []string{"partuuid=", "kern_guid="}

// running looks for the token of our own, and for the GUIDs of the slots' partitions. Two that do not agree are none.
func (l *Loader) running(p pair) (slot.Name, error) {
	line, err := l.cfg.Host.CommandLine()
	if err != nil {
		return slot.None, err
	}
	said := map[slot.Name]string{}
	token, found, err := l.cfg.Host.Param(host.SlotParam)
	if err != nil {
		return slot.None, err
	}
	if found {
		said[l.cfg.Names.Slot(token)] = host.SlotParam + "=" + token
	}
	for _, n := range []slot.Name{slot.A, slot.B} {
		for _, before := range guidParams {
			if text := before + p.of(n).unique(); strings.Contains(strings.ToLower(line), text) {
				said[n] = text
			}
		}
	}
	switch {
	case said[slot.None] != "":
		return slot.None, strange(fmt.Sprintf("says %s, and the slots are %s and %s", said[slot.None], l.cfg.Names.A, l.cfg.Names.B))
	case said[slot.A] != "" && said[slot.B] != "":
		return slot.None, strange(fmt.Sprintf("speaks of both slots: of A by %s, of B by %s", said[slot.A], said[slot.B]))
	case said[slot.A] != "":
		return slot.A, nil
	case said[slot.B] != "":
		return slot.B, nil
	}
	return slot.None, strange("tells neither of the slots' partitions")
}

func strange(what string) error {
	return &slot.UnreadyError{Text: "the kernel's command line " + what,
		Advice: "let the boot loader put the GUID of the partition that it has chosen on it, as docs/bootloaders.md, chapter gptprio, says, then boot once"}
}

func (l *Loader) unready(err error) error {
	return &slot.UnreadyError{Text: "the GPT of " + l.cfg.Device + " cannot be relied on", Err: err,
		Advice: "see what cgpt show " + l.cfg.Device + " says; mend a damaged copy with cgpt repair or sgdisk, and see that the disk can be written"}
}
