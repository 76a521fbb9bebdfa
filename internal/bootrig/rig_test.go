package bootrig

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// oneSlot is a grub.cfg that boots a slot and no other.
func oneSlot(slot, partition string) string {
	return fmt.Sprintf(`serial --unit=0 --speed=115200
terminal_output serial
set root=(hd0,gpt%s)
linux /boot/vmlinuz root=PARTLABEL=root-%s ro console=ttyS0 panic=1 sallyport.slot=%s
boot
`, partition, map[string]string{"A": "a", "B": "b"}[slot], slot)
}

// The rig itself: a machine that boots either of its slots, and runs sallyport there.
func TestMachineBootsTheSlotThatGRUBNames(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	w, err := NewWorkshop(ctx, dir, "none")
	if err != nil {
		t.Fatal(err)
	}
	var roots [2]string
	for i := range roots {
		roots[i] = filepath.Join(dir, fmt.Sprintf("root-%d.img", i))
		image := wire.Image{Version: fmt.Sprint(i + 1), Mode: wire.Well, Mounts: mounts()}
		if err := w.Root(ctx, roots[i], Root{Image: image}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		slot, partition, version, root string
	}{{"A", "3", "1", labelRootA}, {"B", "4", "2", labelRootB}} {
		m, err := w.New(ctx, filepath.Join(dir, c.slot), onBIOS(oneSlot(c.slot, c.partition)), roots[0], roots[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		vm, err := m.Start(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		defer vm.Cut()
		up, err := vm.Up(bootTime)
		if err != nil || up.Slot != c.slot || up.Version != c.version || up.Root != c.root {
			t.Errorf("runs %+v, want slot %s with version %s: %v", up, c.slot, c.version, err)
		}
		a, err := vm.Do(bootTime, wire.Request{Run: []string{"/usr/local/bin/sallyport", "--version"}})
		if err != nil || a.Exit != 0 {
			t.Errorf("sallyport --version: %+v: %v", a, err)
		}
		vm.Cut()
	}
}
