package grub_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/grub"
	"github.com/sallyport-dev/sallyport/apply/slot/grub/grubtest"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// emulator is GRUB itself as a program of this machine, with a disk of two slots that hold no kernel anybody could start.
type emulator struct {
	program, dir string
	block        int64 // where the environment block lies on the disk
}

const sectorSize = 512

// rigConfig has GRUB tell what it would start, and stop there.
const rigConfig = `function linux { for w in $*; do echo "RIG $w"; done; exit; }
source $prefix/sallyport.cfg
sallyport_choose
`

func newEmulator(t *testing.T) *emulator {
	t.Helper()
	e := &emulator{program: testtools.Tool(t, "grub-emu", "grub-emu"), dir: t.TempDir()}
	text, err := example.Text()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"boot/grub/grub.cfg": rigConfig, "boot/grub/sallyport.cfg": text, "boot/grub/grubenv": string(grubtest.Block("a=b")),
		"a/vmlinuz": "kernel", "b/boot/vmlinuz": "kernel", "device.map": "(hd0) " + e.path("disk.img") + "\n",
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(e.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(e.path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e.makeDisk(t)
	return e
}

func (e *emulator) path(name string) string { return filepath.Join(e.dir, name) }

// makeDisk lays three file systems onto a disk with a GPT.
func (e *emulator) makeDisk(t *testing.T) {
	t.Helper()
	const size, first = 4 << 20, 1 << 20
	disk := make([]byte, 5*size)
	if err := os.WriteFile(e.path("disk.img"), disk, 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{}
	for i, uuid := range []string{"cccccccc-0000-4000-8000-00000000000c", example.A.PartUUID, example.B.PartUUID} {
		start := (first + i*size) / sectorSize
		args = append(args, "-n", fmt.Sprintf("%d:%d:%d", i+1, start, start+size/sectorSize-1), "-u", fmt.Sprintf("%d:%s", i+1, uuid))
	}
	command(t, testtools.Tool(t, "sgdisk", "gdisk"), append(args, e.path("disk.img"))...)
	disk, err := os.ReadFile(e.path("disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	for i, tree := range []string{"boot", "a", "b"} {
		image := e.path(tree + ".img")
		if err := os.WriteFile(image, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		command(t, testtools.Tool(t, "mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext4", "-b", "1024", "-d", e.path(tree), image)
		b, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		copy(disk[first+i*size:], b)
	}
	e.block = int64(bytes.Index(disk, grubtest.Block("a=b")))
	if e.block < 0 {
		t.Fatal("the block is nowhere on the disk")
	}
	if err := os.WriteFile(e.path("disk.img"), disk, 0o644); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

var told = regexp.MustCompile(`RIG ([^\s\x1b]+)`)

// boot lets GRUB boot with a block, and returns the kernel's command line and what GRUB has left of the block.
func (e *emulator) boot(t *testing.T, block []byte) (line string, after []byte) {
	t.Helper()
	disk, err := os.OpenFile(e.path("disk.img"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if _, err := disk.WriteAt(block, e.block); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), e.program, "-m", e.path("device.map"), "-r", "hd0,gpt1", "-d", "/grub")
	cmd.Env = append(os.Environ(), "TERM=dumb")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("grub-emu: %v: %s", err, out)
	}
	var words []string
	for _, m := range told.FindAllSubmatch(out, -1) {
		words = append(words, string(m[1]))
	}
	after = make([]byte, len(block))
	if _, err := disk.ReadAt(after, e.block); err != nil {
		t.Fatal(err)
	}
	return strings.Join(words, " "), after
}

// GRUB does with each state of the block what the model of it does, which all other tests believe.
func TestScriptInGRUB(t *testing.T) {
	e := newEmulator(t)
	states := []string{"good 0", "bad 0", "trial 0", "trial 1", "trial 2"}
	// Those differ from the others in one point, which one slot shows.
	more := []string{"trial 7", "trial 8", "ill 0", "good 3"}
	tried := 0
	try := func(order, a, b string) {
		e.compare(t, order+"/"+a+"/"+b, grubtest.Block(append([]string{"saved_entry=0"}, stateLines(order, a, b)...)...))
		tried++
	}
	for _, order := range []string{"A B", "B A"} {
		for _, a := range states {
			for _, b := range states {
				try(order, a, b)
			}
		}
		for _, s := range more {
			try(order, s, "good 0")
			try(order, "good 0", s)
		}
	}
	if tried < 60 {
		t.Errorf("only %d states were tried", tried)
	}
}

func stateLines(order, a, b string) []string {
	av, al, _ := strings.Cut(a, " ")
	bv, bl, _ := strings.Cut(b, " ")
	return []string{"sallyport_order=" + order, "sallyport_A_state=" + av, "sallyport_A_left=" + al,
		"sallyport_B_state=" + bv, "sallyport_B_left=" + bl, "sallyport_mark=" + grubtest.Mark}
}

func (e *emulator) compare(t *testing.T, name string, block []byte) {
	t.Helper()
	want := bytes.Clone(block)
	model := grubtest.Sallyport(block, []string{"A", "B"}, func(b []byte) error { want = b; return nil })
	line, after := e.boot(t, block)
	if !strings.Contains(line+" ", " "+model.Param+" ") {
		t.Errorf("%s: GRUB boots %q, want %s", name, line, model.Param)
	}
	if root := map[string]string{"A": example.A.PartUUID, "B": example.B.PartUUID}[model.Slot]; !strings.Contains(line, " root=PARTUUID="+root+" ro panic=10 ") {
		t.Errorf("%s: GRUB boots %q, want the root of slot %s", name, line, model.Slot)
	}
	if trial := !bytes.Equal(want, block); strings.Contains(line, "sallyport.trial rd.emergency=reboot") != trial {
		t.Errorf("%s: GRUB boots %q; on trial: %v", name, line, trial)
	}
	if !model.Probe && !bytes.Equal(after, want) {
		t.Errorf("%s: GRUB left\n%s\nwant\n%s", name, after, want)
	}
}

// Blocks that GRUB cannot write, or cannot even read. With a trial in it, a block that cannot be written boots the good slot, again
// and again (grub-btrfs#374); without any state GRUB tries the slots in turn, if it can note which.
func TestScriptInGRUBWithoutABlock(t *testing.T) {
	e := newEmulator(t)
	nul := grubtest.Block(stateLines("B A", "good 0", "trial 3")...)
	nul = append(bytes.TrimRight(nul, "#"), make([]byte, len(nul)-len(bytes.TrimRight(nul, "#")))...)
	for name, c := range map[string]struct {
		block []byte
		want  string
	}{
		"padded with NUL":  {nul, "AAA"},
		"empty":            {grubtest.Block("saved_entry=0"), "ABAB"},
		"zeros":            {make([]byte, 1024), "AA"},
		"others' format":   {bytes.Repeat([]byte("x"), 1024), "AA"},
		"both bad":         {grubtest.Block(stateLines("B A", "bad 0", "bad 0")...), "ABA"},
		"nothing but used": {grubtest.Block(stateLines("B A", "bad 0", "trial 1")...), "BABA"},
		"order of others":  {grubtest.Block("sallyport_order=C D"), "AB"},
	} {
		block, got := c.block, ""
		for range c.want {
			var line string
			line, block = e.boot(t, block)
			_, slot, _ := strings.Cut(line, "sallyport.slot=")
			got += slot[:min(1, len(slot))]
		}
		if got != c.want {
			t.Errorf("%s: GRUB boots %s, want %s", name, got, c.want)
		}
	}
}

// A slot says by a file of its own what its kernel is and gets.
func TestScriptInGRUBWithASlotsOwnFile(t *testing.T) {
	e := newEmulator(t)
	const own = `set sallyport_kernel=/boot/k
set sallyport_root=/dev/mapper/root
set sallyport_args="ro quiet systemd.verity_root_data=PARTLABEL=root-b"
`
	if err := os.WriteFile(e.path("b/boot/sallyport-slot.cfg"), []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	e.makeDisk(t)
	line, _ := e.boot(t, grubtest.Block(stateLines("B A", "good 0", "good 0")...))
	const want = "(hd0,gpt3)/boot/k root=/dev/mapper/root ro quiet systemd.verity_root_data=PARTLABEL=root-b panic=10 sallyport.slot=B sallyport.env=" + grubtest.Mark
	if line != want {
		t.Errorf("GRUB boots\n%s\nwant\n%s", line, want)
	}
	if line, _ = e.boot(t, grubtest.Block(stateLines("A B", "good 0", "good 0")...)); !strings.HasPrefix(line, "(hd0,gpt2)/vmlinuz root=PARTUUID="+example.A.PartUUID+" "+grub.DefaultArgs+" ") {
		t.Errorf("GRUB boots %s", line)
	}
}

// A power cut leaves each sector of a write old or new. Whichever it is, GRUB boots a slot that is good or armed, and what others
// keep in the block is whole.
func TestTornWritesInGRUB(t *testing.T) {
	e := newEmulator(t)
	others := "saved_entry=" + strings.Repeat("x", 600)
	h := grubtest.NewHost(t, grubtest.Block(append([]string{others}, stateLines("A B", "good 0", "bad 0")...)...))
	l, err := grub.New(grub.Config{Names: grubtest.Names, Host: h})
	if err != nil {
		t.Fatal(err)
	}
	runs := func(name string) {
		grubtest.Put(t, h, "/proc/cmdline", "sallyport.slot="+name+" sallyport.env="+grubtest.Mark+"\n")
	}
	runs("A")
	// The set-up lays our variables out, once.
	if err := l.Commit(t.Context(), slot.A); err != nil {
		t.Fatal(err)
	}
	cuts := 0
	for _, step := range []struct {
		name  string
		do    func() error
		boots string // slots that may be booted after a cut
	}{
		{"disarm", func() error { return l.Disarm(t.Context(), slot.B) }, "A"},
		{"arm", func() error { _, err := l.Arm(t.Context(), slot.B); return err }, "AB"},
		{"disarm again", func() error { return l.Disarm(t.Context(), slot.B) }, "AB"},
		{"arm again", func() error { _, err := l.Arm(t.Context(), slot.B); return err }, "AB"},
		{"commit", func() error { runs("B"); return l.Commit(t.Context(), slot.B) }, "B"},
		{"disarm the other", func() error { return l.Disarm(t.Context(), slot.A) }, "B"},
	} {
		before, _ := os.ReadFile(h.Path(grub.DefaultEnv))
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		after, _ := os.ReadFile(h.Path(grub.DefaultEnv))
		for _, torn := range [][]byte{before, append(bytes.Clone(after[:sectorSize]), before[sectorSize:]...), append(bytes.Clone(before[:sectorSize]), after[sectorSize:]...), after} {
			line, left := e.boot(t, torn)
			_, booted, _ := strings.Cut(line, "sallyport.slot=")
			if booted == "" || !strings.Contains(step.boots, booted[:1]) || !bytes.Contains(left, []byte("\n"+others+"\n")) {
				t.Errorf("%s: GRUB boots %q of\n%s", step.name, line, torn)
			}
			cuts++
		}
	}
	if cuts != 24 {
		t.Errorf("only %d cuts", cuts)
	}
}
