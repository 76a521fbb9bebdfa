package systemdboot_test

import (
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/systemdboot"
)

// TestExtended: a slot's entry may be on the extended boot loader partition, and stays there.
func TestExtended(t *testing.T) {
	m, _ := machine(t)
	remove(t, m, "/efi/loader/entries/slot-b+0.conf")
	m.Put("/boot/loader/entries/slot-b+0.conf", strings.ReplaceAll(kernel, "slot-a", "slot-b"))
	m.Put("/boot/slot-b/vmlinuz", "kernel")
	mounts := "31 22 259:1 / /efi rw - vfat /dev/nvme0n1p1 rw\n32 22 259:2 / /boot HOW - vfat /dev/nvme0n1p2 rw\n"
	m.Put("/proc/self/mountinfo", strings.Replace(mounts, "HOW", "rw", 1))
	c := config(m)
	c.Extended = "/boot"
	l := systemdboot.New(c)
	if err := l.Disarm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	order, err := systemdboot.Order(m.Host.Path("/boot"))
	if err != nil || len(order) != 1 || order[0] != "slot-b+3.conf" {
		t.Errorf("on /boot are %v, %v", order, err)
	}
	m.Put("/proc/self/mountinfo", strings.Replace(mounts, "HOW", "ro", 1))
	if err := l.Disarm(t.Context(), slot.B); err == nil || !strings.Contains(err.Error(), "/boot is mounted read-only") {
		t.Errorf("got %v", err)
	}
}
