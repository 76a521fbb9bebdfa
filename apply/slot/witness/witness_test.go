package witness

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/grub/grubtest"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/slottest"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

var names = slot.BootNames{A: "A", B: "B"}

var places = map[slot.Name]map[string]string{
	slot.A: {"root": "/dev/disk/by-partlabel/root-a", "kernel": "/boot/a/vmlinuz", "image": "/data/a.img"},
	slot.B: {"root": "/dev/disk/by-partlabel/root-b", "kernel": "/boot/b/vmlinuz", "image": "/data/b.img"},
}

// fakeLoader has a word of its own, and counts what it is asked to do.
type fakeLoader struct {
	slot.Loader
	says slot.Name
	did  int
}

func (f *fakeLoader) Running(context.Context) (slot.Name, error)   { return f.says, nil }
func (f *fakeLoader) Ready(context.Context) error                  { f.did++; return nil }
func (f *fakeLoader) Arm(context.Context, slot.Name) (bool, error) { f.did++; return true, nil }
func (f *fakeLoader) Commit(context.Context, slot.Name) error      { f.did++; return nil }
func (f *fakeLoader) Disarm(context.Context, slot.Name) error      { f.did++; return nil }
func put(t *testing.T, h host.Host, path, text string)             { grubtest.Put(t, h, path, text) }
func wrap(h host.Host, says slot.Name) (*Loader, *fakeLoader) {
	f := &fakeLoader{says: says}
	return New(f, h, names, places), f
}
func mount(device, kind, source, options string) string {
	return "1 0 " + device + " / / rw - " + kind + " " + source + " " + options + "\n"
}

// newHost is a machine with two slots on a disk, verity, loop devices and btrfs above them.
func newHost(t *testing.T, cmdline, mounts string) host.Host {
	t.Helper()
	h := host.Host{Root: t.TempDir()}
	put(t, h, "/proc/cmdline", cmdline+"\n")
	put(t, h, "/proc/self/mountinfo", mounts)
	for name, number := range map[string]string{"nvme0n1p3": "259:3", "nvme0n1p4": "259:4", "sda1": "8:1", "dm-0": "254:0", "dm-1": "254:1", "loop0": "7:0"} {
		put(t, h, "/dev/"+name, "")
		put(t, h, "/sys/class/block/"+name+"/dev", number+"\n")
		if err := os.MkdirAll(h.Path("/sys/dev/block"), 0o755); err != nil {
			t.Fatal(err)
		}
		link(t, h, "../../class/block/"+name, "/sys/dev/block/"+number)
	}
	link(t, h, "../../nvme0n1p3", "/dev/disk/by-partlabel/root-a")
	link(t, h, "../../nvme0n1p4", "/dev/disk/by-partlabel/root-b")
	// Verity of slot B, whose tree lies on a disk of nobody; below it, a crypt layer.
	put(t, h, "/sys/class/block/dm-0/slaves/dm-1/dev", "254:1\n")
	put(t, h, "/sys/class/block/dm-0/slaves/sda1/dev", "8:1\n")
	put(t, h, "/sys/class/block/dm-1/slaves/nvme0n1p4/dev", "259:4\n")
	put(t, h, "/data/b.img", "")
	put(t, h, "/sys/class/block/loop0/loop/backing_file", "/data/b.img\n")
	put(t, h, "/media/root-ro/x", "")
	return h
}

func link(t *testing.T, h host.Host, to, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.Path(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, h.Path(path)); err != nil {
		t.Fatal(err)
	}
}

const (
	onA = "259:3"
	onB = "259:4"
)

func TestRunning(t *testing.T) {
	for name, c := range map[string]struct {
		token, mounts string
		says, want    slot.Name
	}{
		"all say A":           {"A", mount(onA, "ext4", "/dev/root", "rw"), slot.A, slot.A},
		"all say B":           {"B", mount(onB, "ext4", "/dev/root", "rw"), slot.B, slot.B},
		"verity":              {"B", mount("254:0", "ext4", "/dev/mapper/root", "ro"), slot.B, slot.B},
		"loop image":          {"B", mount("7:0", "squashfs", "/dev/loop0", "ro"), slot.B, slot.B},
		"btrfs":               {"A", mount("0:27", "btrfs", "/dev/nvme0n1p3", "rw,subvol=/@"), slot.A, slot.A},
		"overlay":             {"B", mount("0:30", "overlay", "overlay", "rw,lowerdir=/media/root-ro,upperdir=/u") + "2 1 " + onB + " / /media/root-ro ro - ext4 /dev/x ro\n", slot.B, slot.B},
		"overlay, hidden":     {"B", mount("0:30", "overlay", "overlay", "rw,lowerdir=/gone,upperdir=/u"), slot.B, slot.B},
		"root of nobody":      {"A", mount("8:1", "ext4", "/dev/sda1", "rw"), slot.A, slot.A},
		"RAUC's token":        {"B rauc.slot=A", mount(onB, "ext4", "/dev/root", "rw"), slot.B, slot.B},
		"no token":            {"", mount(onB, "ext4", "/dev/root", "rw"), slot.B, slot.B},
		"loader without word": {"B", mount(onB, "ext4", "/dev/root", "rw"), slot.None, slot.B},
	} {
		line := "root=PARTUUID=1 ro"
		if c.token != "" {
			line += " sallyport.slot=" + c.token
		}
		l, _ := wrap(newHost(t, line, c.mounts), c.says)
		if got, err := l.Running(t.Context()); err != nil || got != c.want {
			t.Errorf("%s: slot %s runs, %v; want %s", name, got, err, c.want)
		}
		if err := l.Ready(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// systemd#32653, meta-tegra#1142: the loader falls back, and the root is chosen on its own: an old kernel with a new root. That is
// never good; taking the slot out of use stays possible.
func TestKernelOfOneSlotWithTheRootOfTheOther(t *testing.T) {
	for name, c := range map[string]struct {
		token, mounts string
		says          slot.Name
		want          []string
	}{
		"root":         {"A", mount(onB, "ext4", "/dev/root", "rw"), slot.A, []string{"command line names slot A", "(device 259:4) is that of slot B", "loader says slot A"}},
		"verity":       {"A", mount("254:0", "ext4", "/dev/root", "ro"), slot.A, []string{"is that of slot B"}},
		"loader":       {"B", mount(onB, "ext4", "/dev/root", "rw"), slot.A, []string{"loader says slot A"}},
		"token":        {"A", mount(onB, "ext4", "/dev/root", "rw"), slot.B, []string{"command line names slot A"}},
		"without root": {"B", mount("8:1", "ext4", "/dev/root", "rw"), slot.A, []string{"names slot B", "loader says slot A"}},
	} {
		l, inner := wrap(newHost(t, "root=PARTUUID=1 sallyport.slot="+c.token, c.mounts), c.says)
		n, running := l.Running(t.Context())
		_, arm := l.Arm(t.Context(), slot.B)
		for what, err := range map[string]error{"running": running, "ready": l.Ready(t.Context()), "arm": arm,
			"commit a": l.Commit(t.Context(), slot.A), "commit b": l.Commit(t.Context(), slot.B)} {
			var d *DisagreeError
			if !errors.As(err, &d) || !d.Disagree() || d.Reason() != "slots" || d.Hint() == "" {
				t.Errorf("%s, %s: got %v", name, what, err)
				continue
			}
			for _, text := range c.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%s, %s: %q lacks %q", name, what, err, text)
				}
			}
		}
		if n != slot.None || inner.did != 0 {
			t.Errorf("%s: slot %s runs, and the loader was told %d times", name, n, inner.did)
		}
		if err := l.Disarm(t.Context(), slot.B); err != nil || inner.did != 1 {
			t.Errorf("%s: disarm: %v", name, err)
		}
	}
}

// coreos/bugs#1628: both slots have the same image, so root=UUID= boots either.
func TestCommandLineThatDoesNotTellTheSlot(t *testing.T) {
	for _, root := range []string{"UUID=0a0b", "LABEL=root", `"UUID=0a0b"`, "/dev/disk/by-uuid/0a0b", "/dev/disk/by-label/root"} {
		l, inner := wrap(newHost(t, "root="+root+" sallyport.slot=A", mount(onA, "ext4", "/dev/root", "rw")), slot.A)
		var u *slot.UnreadyError
		if err := l.Ready(t.Context()); !errors.As(err, &u) || !strings.Contains(err.Error(), "does not tell the slot") || inner.did != 0 {
			t.Errorf("root=%s: got %v", root, err)
		}
	}
	for name, c := range map[string]struct{ line, mounts, want string }{
		"nobody tells":     {"root=/dev/sda1", mount("8:1", "ext4", "/dev/sda1", "rw"), "neither"},
		"a slot of nobody": {"sallyport.slot=C", mount(onA, "ext4", "/dev/root", "rw"), `"C"`},
	} {
		l, _ := wrap(newHost(t, c.line, c.mounts), slot.A)
		var u *slot.UnreadyError
		if _, err := l.Running(t.Context()); !errors.As(err, &u) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestAlone has a program of the site's that tells deployments of one file system apart.
func TestAlone(t *testing.T) {
	nobody := mount("8:1", "xfs", "/dev/sda1", "rw")
	l, inner := wrap(newHost(t, "root=UUID=0a0b ostree=/ostree/boot.1/default/3f2a/0", nobody), slot.B)
	if _, err := l.Running(t.Context()); err == nil {
		t.Error("a loader's word that is not said to suffice is believed")
	}
	l.Alone = true
	if n, err := l.Running(t.Context()); err != nil || n != slot.B {
		t.Errorf("slot %s runs, %v", n, err)
	}
	if err := l.Ready(t.Context()); err != nil || inner.did != 1 {
		t.Errorf("%v", err)
	}
	l, _ = wrap(newHost(t, "root=UUID=0a0b sallyport.slot=A", nobody), slot.B)
	l.Alone = true
	var disagree *DisagreeError
	if _, err := l.Running(t.Context()); !errors.As(err, &disagree) {
		t.Errorf("a token that says otherwise is passed over: %v", err)
	}
}

// Slots that differ in their kernels alone share a root file system, which may be named in any way.
func TestSharedRoot(t *testing.T) {
	h := newHost(t, "root=UUID=0a0b sallyport.slot=B", mount("8:1", "ext4", "/dev/sda1", "rw"))
	put(t, h, "/boot/a/vmlinuz", "")
	put(t, h, "/boot/b/vmlinuz", "")
	inner := &fakeLoader{says: slot.B}
	l := New(inner, h, names, map[slot.Name]map[string]string{slot.A: {"kernel": "/boot/a/vmlinuz"}, slot.B: {"kernel": "/boot/b/vmlinuz"}})
	if err := l.Ready(t.Context()); err != nil || inner.did != 1 {
		t.Error(err)
	}
	if n, err := l.Running(t.Context()); err != nil || n != slot.B {
		t.Errorf("slot %s runs, %v", n, err)
	}
}

func TestCommitOfAnotherSlot(t *testing.T) {
	l, inner := wrap(newHost(t, "root=PARTUUID=1 sallyport.slot=A", mount(onA, "ext4", "/dev/root", "rw")), slot.A)
	if err := l.Commit(t.Context(), slot.B); err == nil || inner.did != 0 {
		t.Errorf("got %v", err)
	}
	if err := l.Commit(t.Context(), slot.A); err != nil || inner.did != 1 {
		t.Errorf("got %v", err)
	}
}

// A root on devices of both slots is nobody's word.
func TestRootOnBothSlots(t *testing.T) {
	h := newHost(t, "sallyport.slot=A", mount("254:0", "ext4", "/dev/root", "ro"))
	put(t, h, "/sys/class/block/dm-0/slaves/nvme0n1p3/dev", "259:3\n")
	l, _ := wrap(h, slot.A)
	if n, err := l.Running(t.Context()); err == nil || !strings.Contains(err.Error(), "both slots") {
		t.Errorf("slot %s runs, %v", n, err)
	}
}

// Devices that are said to lie below each other end somewhere.
func TestLayersInACircle(t *testing.T) {
	h := newHost(t, "", "")
	put(t, h, "/sys/class/block/dm-1/slaves/dm-0/dev", "254:0\n")
	if got := layers(h, "254:0"); len(got) != 4 {
		t.Errorf("got %v", got)
	}
}

// A loader with witnesses is a loader.
func TestLoader(t *testing.T) {
	slottest.Run(t, func(t *testing.T, disk durable.Disk) *slottest.Rig {
		r := grubtest.Open(t, disk)
		r.Loader = New(r.Loader, r.Host, names, places)
		return r
	})
}
