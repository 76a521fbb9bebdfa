//go:build boot

package debian

import (
	"testing"

	"github.com/sallyport-dev/sallyport/internal/bootrig"
)

// A machine with an empty disk becomes one that GRUB boots slots of, by the commands that docs/bootloaders.md has; then it lives
// through a good release, and through two that end in systemd's emergency mode (systemd#7063).
func TestGRUBByTheBook(t *testing.T) {
	for _, kind := range []string{"bios"} {
		t.Run(kind, func(t *testing.T) {
			b := open(t, "GRUB", kind)
			images := b.images(map[string]string{"quiet": bootrig.ConsoleArgs})
			b.bundles(images, nil)
			m, err := Blank(t.Context(), b.dir, "20G")
			b.must(err)
			b.setUp(m)
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
	g.boots("A", first)
	g.unit("sallyport-confirm.service", "0")
	g.run("systemd-analyze verify --man=no /etc/systemd/system/sallyport-*.service /etc/systemd/system/sallyport-*.timer")
	g.run("mkdir -p /var/lib/manifests")
	g.run(b.script(b.section, "machine", nil))
	g.sallyport(0, "committed", "apply", bootrig.Bundle(first))
	g.sallyport(0, "armed", "apply", bootrig.Bundle(good))
	g.run("systemctl --no-block reboot")
	g.boots("B", good)
	g.unit("sallyport-confirm.service", "0")
	is := bootrig.Want{Phase: "idle", Current: good, Slot: "B", Result: "committed"}
	g.must(g.Is(is))
	for _, c := range []struct{ version, reason string }{{diskless, "nobody confirmed"}, {dataless, "tries used up"}} {
		g.sallyport(0, "armed", "apply", bootrig.Bundle(c.version))
		g.run("systemctl --no-block reboot")
		g.boots("A", c.version)
		g.emergency()
		g.boots("B", good)
		g.unit("sallyport-confirm.service", "5")
		is.Result, is.Reason = "rolledBack", c.reason
		g.must(g.Is(is))
	}
}
