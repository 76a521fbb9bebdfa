package grub_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/grub"
	"github.com/sallyport-dev/sallyport/apply/slot/grub/grubtest"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// unready wants Ready and Disarm to refuse, to say why and what to do, and to leave the block as it is.
func unready(t *testing.T, r *slottest.Rig, disarms bool, text, advice string) {
	t.Helper()
	before, _ := os.ReadFile(r.Host.Path(grub.DefaultEnv))
	steps := map[string]func() error{"ready": func() error { return r.Loader.Ready(t.Context()) }}
	if !disarms {
		steps["disarm"] = func() error { return r.Loader.Disarm(t.Context(), slot.B) }
	}
	for name, step := range steps {
		var u *slot.UnreadyError
		if err := step(); !errors.As(err, &u) || !strings.Contains(err.Error(), text) || !strings.Contains(u.Hint(), advice) {
			t.Errorf("%s: got %v, want %q and the advice %q", name, err, text, advice)
		}
	}
	if after, _ := os.ReadFile(r.Host.Path(grub.DefaultEnv)); string(after) != string(before) {
		t.Error("the block was written")
	}
}

func open(t *testing.T) *slottest.Rig { return grubtest.Open(t, durable.Disk{}) }

// grub-btrfs#374, yast-storage-ng#788: GRUB reads its environment there, but cannot write it, so tries are never taken.
func TestPlacesWhereGRUBCannotWrite(t *testing.T) {
	for name, c := range map[string]struct{ mount, device, text, advice string }{
		"btrfs":        {"0:30 /@boot /boot rw - btrfs /dev/nvme0n1p1 rw", "", "lies on btrfs", "ext4 partition"},
		"f2fs":         {"259:1 / /boot rw - f2fs /dev/nvme0n1p1 rw", "", "lies on f2fs", "ext4 partition"},
		"zfs":          {"0:31 / /boot rw - zfs bpool/boot rw", "", "lies on zfs", "ext4 partition"},
		"memory":       {"0:32 / /boot rw - tmpfs tmpfs rw", "", "lies on tmpfs", "ext4 partition"},
		"LVM":          {"254:0 / /boot rw - ext4 /dev/mapper/vg-boot rw", "dm-0/dm/uuid=LVM-abc", "which is LVM", "ext4 partition"},
		"encrypted":    {"254:0 / /boot rw - ext4 /dev/mapper/boot rw", "dm-0/dm/uuid=CRYPT-LUKS2-abc", "device-mapper", "ext4 partition"},
		"RAID":         {"9:0 / /boot rw - ext4 /dev/md0 rw", "md0/md/level=raid1", "which is RAID", "ext4 partition"},
		"part of RAID": {"259:7 / /boot rw - ext4 /dev/md0p1 rw", "md0/md0p1/partition=1", "lies on md0", "ext4 partition"},
		"loop":         {"7:0 / /boot rw - ext4 /dev/loop0 rw", "loop0/loop/backing_file=/x", "a loop device", "ext4 partition"},
		"unknown":      {"8:77 / /boot rw - ext4 /dev/sdx rw", "", "no block device", "ext4 partition"},
		"read-only":    {"259:1 / /boot ro - ext4 /dev/nvme0n1p1 rw", "", "read-only", "remount,rw"},
		"journal":      {"259:1 / /boot rw - ext4 /dev/nvme0n1p1 rw,data=journal", "", "data=journal", "/etc/fstab"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			grubtest.Put(t, r.Host, "/proc/self/mountinfo", "1 0 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n2 1 "+c.mount+"\n")
			if file, content, found := strings.Cut(c.device, "="); found {
				device(t, r.Host, strings.Fields(c.mount)[0], file, content)
			}
			unready(t, r, false, c.text, c.advice)
		})
	}
}

// device makes a block device that is none of hardware, of which the kernel shows a file.
func device(t *testing.T, h host.Host, number, file, content string) {
	t.Helper()
	grubtest.Put(t, h, "/sys/devices/virtual/block/"+file, content+"\n")
	dir, name, _ := strings.Cut(file, "/")
	if inner, _, found := strings.Cut(name, "/"); found && strings.HasPrefix(inner, dir) {
		dir += "/" + inner
	}
	if strings.Contains(dir, "md0p1") {
		grubtest.Put(t, h, "/sys/devices/virtual/block/md0/md/level", "raid1\n")
	}
	if err := os.Symlink("../../devices/virtual/block/"+dir, h.Path("/sys/dev/block/"+number)); err != nil {
		t.Fatal(err)
	}
}

// grub-btrfs#374: blocks of which GRUB says that they are too small, though it reads them.
func TestBlocksThatGRUBCannotWrite(t *testing.T) {
	sound := string(grubtest.Block("sallyport_order=A B", "sallyport_A_state=good", "sallyport_A_left=0", "sallyport_B_state=bad",
		"sallyport_B_left=0", "sallyport_mark="+grubtest.Mark))
	full := string(grubtest.Block("sallyport_order=A B", "sallyport_A_state=good", "sallyport_A_left=0", "sallyport_B_state=bad",
		"sallyport_B_left=0", "sallyport_mark="+grubtest.Mark, "x="+strings.Repeat("y", 850)))
	for name, c := range map[string]struct{ block, text, advice string }{
		"padded with NUL": {strings.ReplaceAll(sound, "##", "\x00\x00"), "not filled with #", "--force"},
		"no room":         {full, "no room", "unset NAME"},
		"longer":          {sound + "#", "1025 bytes", "--force"},
		"empty":           {"", "0 bytes", "--force"},
		"half":            {sound[:512], "512 bytes", "--force"},
		"another":         {strings.Repeat("a=b\n", 256), "does not begin", "--force"},
		"nothing of ours": {string(grubtest.Block("saved_entry=0")), "no state of the slots", "site init --boot grub"},
		"half of ours":    {string(grubtest.Block("sallyport_order=A B")), "no variable sallyport_A_state", "--force"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			grubtest.Put(t, r.Host, grub.DefaultEnv, c.block)
			unready(t, r, false, c.text, c.advice)
			for what, step := range map[string]func() error{
				"arm":    func() error { _, err := r.Loader.Arm(t.Context(), slot.B); return err },
				"commit": func() error { return r.Loader.Commit(t.Context(), slot.A) },
				"state":  func() error { _, err := r.Loader.State(t.Context(), slot.A); return err },
			} {
				if what == "state" && name == "no room" {
					continue
				}
				if err := step(); err == nil {
					t.Errorf("%s: no error", what)
				}
			}
			if got, _ := os.ReadFile(r.Host.Path(grub.DefaultEnv)); string(got) != c.block {
				t.Error("the block was repaired")
			}
		})
	}
}

func TestNoBlock(t *testing.T) {
	r := open(t)
	if err := os.Remove(r.Host.Path(grub.DefaultEnv)); err != nil {
		t.Fatal(err)
	}
	unready(t, r, false, "cannot be read", "spec.slots.grub.env")
	if err := os.Mkdir(r.Host.Path(grub.DefaultEnv), 0o755); err != nil {
		t.Fatal(err)
	}
	unready(t, r, false, "is no file", "spec.slots.grub.env")
}

// mender#294, meta-mender#550: the script never ran in this boot, or it reads another environment, and every tool says that all
// is well.
func TestNoMarkOfTheLoader(t *testing.T) {
	for name, c := range map[string]struct{ line, text, advice string }{
		"no script":       {"root=PARTUUID=1 quiet", "did not run in this boot", "update-grub"},
		"slot by hand":    {"root=PARTUUID=1 sallyport.slot=A", "did not run in this boot", "update-grub"},
		"emptied block":   {"root=PARTUUID=1 sallyport.slot=A sallyport.env=", "found no mark", "boot again"},
		"another block":   {"root=PARTUUID=1 sallyport.slot=A sallyport.env=fedcba9876543210", "another environment block", "spec.slots.grub.env"},
		"no slot":         {"root=PARTUUID=1 sallyport.env=" + grubtest.Mark, "does not tell which slot", "update-grub"},
		"a slot not ours": {"root=PARTUUID=1 sallyport.slot=C sallyport.env=" + grubtest.Mark, `booted slot "C"`, "spec.slots.a.boot"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			grubtest.Put(t, r.Host, "/proc/cmdline", c.line+"\n")
			unready(t, r, true, c.text, c.advice)
		})
	}
	t.Run("block without a mark", func(t *testing.T) {
		r := open(t)
		grubtest.Put(t, r.Host, grub.DefaultEnv, string(grubtest.Block("sallyport_order=A B", "sallyport_A_state=good", "sallyport_A_left=0",
			"sallyport_B_state=bad", "sallyport_B_left=0")))
		unready(t, r, true, "has no mark", "site init --boot grub")
	})
}

// Where the slot that runs is not good for GRUB there is nothing to fall back to: its own script's trap, RAUC's above all, which
// sets X_TRY on each boot.
func TestRunningSlotMustBeGood(t *testing.T) {
	r := open(t)
	grubtest.Put(t, r.Host, grub.DefaultEnv, string(grubtest.Block("sallyport_order=A B", "sallyport_A_state=trial", "sallyport_A_left=2",
		"sallyport_B_state=good", "sallyport_B_left=0", "sallyport_mark="+grubtest.Mark)))
	unready(t, r, false, "slot A would be left to fall back to", "sallyport confirm")

	r = grubtest.OpenRAUC(t, durable.Disk{})
	grubtest.Put(t, r.Host, grub.DefaultEnv, string(grubtest.Block("ORDER=A B", "A_OK=1", "A_TRY=1", "B_OK=1", "B_TRY=0", "sallyport_mark="+grubtest.Mark)))
	unready(t, r, true, "slot A would be left to fall back to", "rauc status mark-good")
	if _, err := r.Loader.Arm(t.Context(), slot.B); err == nil {
		t.Error("armed B while A has X_TRY=1")
	}
	// RAUC's script would boot B now: it must boot A while B is written.
	if err := r.Loader.Disarm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if got := r.Boot(t); got != slot.A {
		t.Errorf("RAUC's script boots slot %s", got)
	}
}
