package grub_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/grub"
	"github.com/sallyport-dev/sallyport/apply/slot/grub/grubtest"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

const (
	rootA = "/dev/disk/by-partlabel/root-a"
	rootB = "/dev/disk/by-partlabel/root-b"
)

// bare is a machine on which GRUB was installed and nothing of ours; slot A runs.
func bare(t *testing.T) grub.Setup {
	t.Helper()
	h := grubtest.NewHost(t, nil)
	if err := os.Remove(h.Path(grub.DefaultEnv)); err != nil {
		t.Fatal(err)
	}
	grubtest.Put(t, h, "/proc/cmdline", "BOOT_IMAGE=/vmlinuz-6.1 root=UUID=0a0b ro quiet console=ttyS0,115200\n")
	grubtest.Put(t, h, "/etc/grub.d/40_custom", "")
	for name, d := range map[string]struct{ number, label, uuid string }{
		"nvme0n1p2": {"259:2", "root-a", "AAAAAAAA-0000-4000-8000-00000000000A"},
		"nvme0n1p3": {"259:3", "root-b", "bbbbbbbb-0000-4000-8000-00000000000b"},
	} {
		grubtest.Put(t, h, "/dev/"+name, "")
		grubtest.Put(t, h, "/sys/class/block/"+name+"/dev", d.number+"\n")
		for _, link := range []string{"by-partlabel/" + d.label, "by-partuuid/" + d.uuid} {
			path := h.Path("/dev/disk/" + link)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../../"+name, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	return grub.Setup{Config: grub.Config{Names: grubtest.Names, Host: h}, Roots: map[slot.Name]string{slot.A: rootA, slot.B: rootB}}
}

func run(t *testing.T, s grub.Setup) *grub.SetupResult {
	t.Helper()
	done, err := s.Run()
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func readFile(t *testing.T, h host.Host, path string) string {
	t.Helper()
	b, err := os.ReadFile(h.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// From a bare machine to one that is ready: what is written, what GRUB makes of it, and what the next boot shows.
func TestSetup(t *testing.T) {
	s := bare(t)
	done := run(t, s)
	if got := strings.Join(done.Files, " "); got != "/boot/grub/sallyport.cfg /etc/grub.d/42_sallyport /boot/grub/grubenv" {
		t.Errorf("wrote %s", got)
	}
	if got := strings.Join(done.Next, "; "); !strings.HasPrefix(got, "update-grub; boot again") {
		t.Errorf("next: %s", got)
	}
	script := readFile(t, s.Host, "/boot/grub/sallyport.cfg")
	for _, want := range []string{"set sallyport_A_part=aaaaaaaa-0000-4000-8000-00000000000a\n", "set sallyport_B_part=bbbbbbbb-0000-4000-8000-00000000000b\n",
		"set sallyport_default_args=\"ro quiet console=ttyS0,115200\"\n", "set sallyport_block=$prefix/grubenv\n"} {
		if !strings.Contains(script, want) {
			t.Errorf("the script lacks %s", want)
		}
	}
	// update-grub runs what has its run bit, and puts what it prints into grub.cfg (mender#294: it had none).
	out, err := exec.Command(s.Host.Path("/etc/grub.d/42_sallyport")).CombinedOutput()
	if want := "if [ -f $prefix/sallyport.cfg ]; then source $prefix/sallyport.cfg; fi\n"; err != nil || string(out) != want {
		t.Errorf("update-grub gets %q, %v", out, err)
	}
	if have, err := os.ReadFile("../../../docs/boot/grub/42_sallyport"); err != nil || string(have) != readFile(t, s.Host, "/etc/grub.d/42_sallyport") {
		t.Errorf("docs/boot/grub/42_sallyport is another one (%v)", err)
	}
	boot(t, s.Host, "A")
	l, err := grub.New(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if b, err := l.State(t.Context(), slot.B); err != nil || b.Verdict != slot.Bad {
		t.Errorf("slot B is %+v, %v", b, err)
	}
}

// boot is the next boot of a machine, as sallyport.cfg has it.
func boot(t *testing.T, h host.Host, want string) {
	t.Helper()
	b, err := grubtest.Run(grubtest.Sallyport, h.Path(grub.DefaultEnv), []string{"A", "B"}, false)
	if err != nil || b.Slot != want || b.Probe {
		t.Errorf("GRUB boots %+v, %v, want %s", b, err, want)
	}
	grubtest.Put(t, h, "/proc/cmdline", "root=PARTUUID=x "+b.Param+"\n")
}

// An image that nothing can be written to has to be told of the script in another way, and where grub.cfg reads it nothing is left to do.
func TestSetupOfAnImageThatIsReadOnly(t *testing.T) {
	s := bare(t)
	s.Disk = durable.Disk{Intercept: func(op durable.Op, do func() error) error {
		if strings.Contains(op.Path, "/etc/") {
			return &os.PathError{Op: "open", Path: op.Path, Err: syscall.EROFS}
		}
		return do()
	}}
	if done := run(t, s); len(done.Files) != 2 || !strings.Contains(done.Next[0], "put this line at the end of grub.cfg: source $prefix/sallyport.cfg") {
		t.Errorf("did %+v", done)
	}
	// The image may have brought what update-grub runs; a file without its run bit is none.
	script, err := os.ReadFile("../../../docs/boot/grub/42_sallyport")
	if err != nil {
		t.Fatal(err)
	}
	grubtest.Put(t, s.Host, "/etc/grub.d/42_sallyport", string(script))
	for mode, want := range map[os.FileMode]string{0o644: "put this line", 0o755: "update-grub"} {
		if err := os.Chmod(s.Host.Path("/etc/grub.d/42_sallyport"), mode); err != nil {
			t.Fatal(err)
		}
		if done := run(t, s); len(done.Files) != 2 || !strings.HasPrefix(done.Next[0], want) {
			t.Errorf("with the image's own script, mode %v, did %+v", mode, done)
		}
	}
	grubtest.Put(t, s.Host, "/boot/grub/grub.cfg", "set timeout=5\nsource $prefix/sallyport.cfg\n")
	if done := run(t, s); len(done.Next) != 1 || !strings.HasPrefix(done.Next[0], "boot again") {
		t.Errorf("did %+v", done)
	}
}

// A state that is there stays, with its mark and with what others keep in the block.
func TestSetupAgain(t *testing.T) {
	s := bare(t)
	grubtest.Put(t, s.Host, grub.DefaultEnv, string(grubtest.Block("saved_entry=0>1")))
	run(t, s)
	boot(t, s.Host, "A")
	l, err := grub.New(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, s.Host, grub.DefaultEnv)
	if !strings.Contains(before, "saved_entry=0>1\n") {
		t.Error("what others keep in the block is gone")
	}
	run(t, s)
	if after := readFile(t, s.Host, grub.DefaultEnv); after != before {
		t.Errorf("the block was\n%s\nand is\n%s", before, after)
	}
	s.Force = true
	run(t, s)
	if st, err := l.State(t.Context(), slot.B); err != nil || st.Verdict != slot.Bad {
		t.Errorf("slot B is %+v, %v", st, err)
	}
}

// A block that is not sound is told of, and only --force makes a new one.
func TestSetupOverADamagedBlock(t *testing.T) {
	for _, text := range []string{"", strings.Repeat("x", 1024), string(grubtest.Block("sallyport_order=A B")), string(grubtest.Block("a=b")) + "#"} {
		s := bare(t)
		grubtest.Put(t, s.Host, grub.DefaultEnv, text)
		if _, err := s.Run(); err == nil || readFile(t, s.Host, grub.DefaultEnv) != text {
			t.Errorf("%.30q: %v", text, err)
		}
		s.Force = true
		run(t, s)
		boot(t, s.Host, "A")
	}
}

func TestSetupOfRAUC(t *testing.T) {
	s := bare(t)
	s.Dialect = grub.RAUC
	grubtest.Put(t, s.Host, grub.DefaultEnv, string(grubtest.Block("ORDER=A B", "A_OK=1", "A_TRY=0", "B_OK=1", "B_TRY=0")))
	done := run(t, s)
	if len(done.Files) != 1 || !strings.Contains(done.Next[0], "$sallyport_mark") {
		t.Errorf("did %+v", done)
	}
	if got := readFile(t, s.Host, grub.DefaultEnv); !strings.Contains(got, "\nB_OK=1\n") || !strings.Contains(got, "\nsallyport_mark=") {
		t.Errorf("the block is\n%s", got)
	}
}

func TestSetupRefuses(t *testing.T) {
	const root = "1 0 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n"
	for name, c := range map[string]struct {
		change func(s *grub.Setup)
		want   string
	}{
		"no partition":   {func(s *grub.Setup) { s.Roots[slot.B] = "/boot/b.img" }, "is no partition"},
		"GRUB in a slot": {func(s *grub.Setup) { grubtest.Put(t, s.Host, "/proc/self/mountinfo", root) }, "lies in slot A itself"},
		"runs elsewhere": {func(s *grub.Setup) {
			grubtest.Put(t, s.Host, "/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 259:1 / /boot rw - ext4 x rw\n")
		}, "neither that of slot A"},
		"no folder":         {func(s *grub.Setup) { s.Env = "/efi/grub/grubenv" }, "no folder /efi/grub"},
		"no links":          {func(s *grub.Setup) { os.RemoveAll(s.Host.Path("/dev/disk/by-partuuid")) }, "has no PARTUUID"},
		"quoted parameters": {func(s *grub.Setup) { grubtest.Put(t, s.Host, "/proc/cmdline", "dyndbg=\"file a +p\"\n") }, "cannot stand in a script"},
		"btrfs": {func(s *grub.Setup) {
			grubtest.Put(t, s.Host, "/proc/self/mountinfo", root+"2 1 0:30 / /boot rw - btrfs /dev/nvme0n1p1 rw\n")
		}, "lies on btrfs"},
		"disk that fails": {func(s *grub.Setup) {
			s.Disk = durable.Disk{Intercept: func(durable.Op, func() error) error { return os.ErrPermission }}
		}, "permission denied"},
	} {
		s := bare(t)
		c.change(&s)
		if done, err := s.Run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: did %+v, %v, want %q", name, done, err, c.want)
		}
	}
}
