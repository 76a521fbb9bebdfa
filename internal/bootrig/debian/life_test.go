//go:build boot

package debian

import (
	"testing"

	"github.com/sallyport-dev/sallyport/internal/bootrig"
)

// A machine with an empty disk becomes one that GRUB, systemd-boot or its firmware boots slots of, by the commands that
// docs/bootloaders.md has; then it lives through two good releases. Where the set-up says so, also through two that end in systemd's
// emergency mode (systemd#7063): that takes an hour, and what a loader makes of such a release is a scenario of every loader.
func TestByTheBook(t *testing.T) {
	onESP := map[string]string{"kernel": "vmlinuz", "initrd": "initrd.img"}
	for name, s := range map[string]setUp{
		"GRUB on a BIOS": {sections: []string{"GRUB"}, kind: "bios", slots: [2]string{"A", "B"}, places: []string{"image"}, fails: true},
		"GRUB on UEFI":   {sections: []string{"GRUB"}, kind: "uefi", slots: [2]string{"A", "B"}, places: []string{"image"}},
		"systemd-boot": {sections: []string{"Kernels on the ESP", "systemd-boot"}, kind: "uefi", slots: [2]string{"slot-a", "slot-b"},
			places: []string{"live"}, parts: onESP},
		"EFI": {sections: []string{"Kernels on the ESP", "EFI"}, kind: "uefi", slots: [2]string{"slot-a", "slot-b"},
			places: []string{"live", "site"}, parts: onESP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of its time is that of timers
			b := open(t, "bootloaders.md", s)
			b.bundles(b.images())
			m, err := Blank(t.Context(), b.dir, "20G")
			b.must(err)
			if s.kind == "uefi" {
				b.must(bootrig.UEFI(m, b.dir))
			}
			b.install(m)
			b.live(m)
		})
	}
}

// live is the life of a machine that was set up.
func (b *book) live(m *bootrig.Machine) {
	b.t.Helper()
	m.Stick = b.stick
	g := b.power(m)
	defer g.Off()
	g.boots(b.slots[0], first)
	g.unit("sallyport-confirm.service", "0")
	g.run("systemd-analyze verify --man=no /etc/systemd/system/sallyport-*.service /etc/systemd/system/sallyport-*.timer")
	g.run("mkdir -p /var/lib/manifests")
	g.run(b.script("machine", b.sections...))
	for i, version := range []string{first, good} {
		g.apply(version, "armed")
		g.run("systemctl --no-block reboot")
		g.boots(b.slots[1-i], version)
		g.unit("sallyport-confirm.service", "0")
		is := bootrig.Want{Phase: "idle", Current: version, Slot: [2]string{"B", "A"}[i], Result: "committed"}
		g.must(g.Is(is))
	}
	if !b.fails {
		return
	}
	for _, c := range []struct{ version, reason string }{{diskless, "nobody confirmed"}, {dataless, "tries used up"}} {
		g.apply(c.version, "armed")
		g.run("systemctl --no-block reboot")
		g.boots(b.slots[1], c.version)
		g.emergency()
		g.boots(b.slots[0], good)
		g.unit("sallyport-confirm.service", "5")
		g.must(g.Is(bootrig.Want{Phase: "idle", Current: good, Slot: "A", Result: "rolledBack", Reason: c.reason}))
	}
}
