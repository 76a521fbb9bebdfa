//go:build boot

package uboot_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/uboot"
	"github.com/sallyport-dev/sallyport/internal/bootrig/page"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// board is a 64-bit ARM machine in QEMU with Debian's U-Boot, docs/boot/uboot/boot.cmd on its FAT partition, and a slot on each of
// two others. Its kernels print the command line that they got, and end the machine or reset it.
type board struct {
	t    *testing.T
	dir  string
	h    host.Host
	last string // the command line of the last boot
	*uboot.Loader
}

const partMiB = 4

// What a kernel does at its end, as numbers of PSCI.
const (
	switchOff = 8
	reset     = 9
)

// kernel is a program for 64-bit ARM that prints the structure block of its device tree, in which the command line stands.
func kernel(end uint32) []byte {
	code := []uint32{
		0xb9400801, 0x5ac00821, // w1 = big-endian word at x0+8: where the structure block begins
		0xb9402404, 0x5ac00884, // w4 = big-endian word at x0+36: its length
		0x8b010000, 0xd2a12002, // x0 += x1; x2 = 0x9000000, the UART
		0x38401403, 0xb9000043, 0x71000484, 0x54ffffa1, // each byte to the UART
		0x52b08000, 0x72800000 | end<<5, 0xd4000002, 0x14000000, // w0 = 0x84000000 + end; hvc; stay here
	}
	// The header of an Image: a jump over it, no offset, 64 KiB, and its magic number.
	image := binary.LittleEndian.AppendUint32(nil, 0x14000010)
	image = append(image, make([]byte, 60)...)
	image[18] = 1
	copy(image[56:], "ARM\x64")
	for _, word := range code {
		image = binary.LittleEndian.AppendUint32(image, word)
	}
	return image
}

// newBoard is set up as the page says, with those kernels; nil is none. change edits the boot script.
func newBoard(t *testing.T, a, b []byte, change func(script string) string) *board {
	t.Helper()
	x := &board{t: t, dir: t.TempDir()}
	x.h = host.Host{Root: filepath.Join(x.dir, "root")}
	for _, dir := range []string{"/etc", "/proc", "/var/lock", "/boot", "/tmp"} {
		if err := os.MkdirAll(x.h.Path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../../../docs/boot/uboot/boot.cmd")
	if err != nil {
		t.Fatal(err)
	}
	x.put(x.file("boot.cmd"), []byte(change(string(script))))
	names := x.byTheBook()
	x.makeDisk(a, b)
	// U-Boot waits two seconds for a key.
	firmware, err := os.ReadFile("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
	if err != nil {
		t.Fatalf("this test needs U-Boot for QEMU: apt-get install u-boot-qemu: %v", err)
	}
	x.put(x.file("u-boot.bin"), bytes.Replace(firmware, []byte("bootdelay=2\x00"), []byte("bootdelay=0\x00"), 1))
	if x.Loader, err = uboot.New(uboot.Config{Names: names, Host: x.h}); err != nil {
		t.Fatal(err)
	}
	return x
}

// byTheBook runs what the page says for the machine, with the board's folder in the place of /, and returns the page's slots. The
// state has a variable more, which is to be kept.
func (x *board) byTheBook() slot.BootNames {
	x.t.Helper()
	const section = "U-Boot"
	p, err := page.Read("../../../docs/bootloaders.md")
	if err != nil {
		x.t.Fatal(err)
	}
	examples := map[string]string{"'BOOT_ORDER=A B'": "'BOOT_ORDER=A B' sallyport_keep=other 'other=x  y'"}
	for _, dir := range []string{"/boot/", "/etc/", "/tmp/"} {
		examples[dir] = x.h.Path(dir) + "/"
	}
	script, err := page.Replace(p.Script(section, "machine", ""), examples)
	if err != nil {
		x.t.Fatal(err)
	}
	testtools.Tool(x.t, "mkenvimage", "u-boot-tools")
	c := exec.Command("sh", "-euc", script)
	c.Dir = x.dir
	if out, err := c.CombinedOutput(); err != nil {
		x.t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	config, err := os.ReadFile(x.h.Path("/etc/fw_env.config"))
	if err != nil {
		x.t.Fatal(err)
	}
	x.put(x.h.Path("/etc/fw_env.config"), bytes.ReplaceAll(config, []byte(x.h.Root), nil))
	text, err := p.Slots(section)
	if err != nil {
		x.t.Fatal(err)
	}
	type names struct {
		Boot string `json:"boot"`
	}
	var site struct {
		Slots struct {
			Backend string `json:"backend"`
			A, B    names
		} `json:"slots"`
	}
	if err := yaml.Unmarshal([]byte(text), &site); err != nil || site.Slots.Backend != "uboot" {
		x.t.Fatalf("%v\n%s", err, text)
	}
	return slot.BootNames{A: site.Slots.A.Boot, B: site.Slots.B.Boot}
}

// count sets the counters of the environment's files.
func (x *board) count(first, second byte) {
	x.t.Helper()
	for name, n := range map[string]byte{"/boot/uboot.env": first, "/boot/uboot-redund.env": second} {
		x.edit(name, func(env []byte) { env[4] = n })
	}
}

func (x *board) makeDisk(kernels ...[]byte) {
	x.t.Helper()
	disk := x.file("disk.img")
	x.put(disk, nil)
	if err := os.Truncate(disk, (2+3*partMiB)<<20); err != nil {
		x.t.Fatal(err)
	}
	x.run("sgdisk", "gdisk", "-n1:1M:+4M", "-n2:0:+4M", "-n3:0:+4M", disk)
	for i := range 3 {
		x.run("mformat", "mtools", "-i", x.part(i+1), "-T", fmt.Sprint(partMiB<<11), "-h", "16", "-s", "63", "::")
	}
	x.run("mcopy", "mtools", "-i", x.part(1), x.h.Path("/boot/boot.scr"), "::")
	for i, k := range kernels {
		x.run("mmd", "mtools", "-i", x.part(i+2), "::boot")
		if k != nil {
			x.put(x.file("Image"), k)
			x.run("mcopy", "mtools", "-i", x.part(i+2), x.file("Image"), "::boot/Image")
		}
	}
}

// part is a partition as mtools has it.
func (x *board) part(n int) string {
	return fmt.Sprintf("%s@@%dM", x.file("disk.img"), 1+(n-1)*partMiB)
}

func (x *board) file(name string) string { return filepath.Join(x.dir, name) }

func (x *board) put(path string, data []byte) {
	x.t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		x.t.Fatal(err)
	}
}

func (x *board) edit(path string, change func(data []byte)) {
	x.t.Helper()
	data, err := os.ReadFile(x.h.Path(path))
	if err != nil {
		x.t.Fatal(err)
	}
	change(data)
	x.put(x.h.Path(path), data)
}

func (x *board) run(program, pkg string, args ...string) {
	x.t.Helper()
	cmd := exec.Command(testtools.Tool(x.t, program, pkg), args...)
	cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		x.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// bootArgs is the command line in a kernel's device tree.
var bootArgs = regexp.MustCompile(`root=PARTUUID=[^\x00]*`)

// boots starts the machine, lets it run until a kernel ends it, and wants those slots to have been started, one after the other.
func (x *board) boots(want string, drive ...string) {
	x.t.Helper()
	files := []string{x.h.Path("/boot/uboot.env"), x.h.Path("/boot/uboot-redund.env")}
	x.run("mcopy", "mtools", append([]string{"-o", "-i", x.part(1)}, append(slices.Clone(files), "::")...)...)
	ctx, cancel := context.WithTimeout(x.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testtools.Tool(x.t, "qemu-system-aarch64", "qemu-system-arm"), "-nodefaults", "-no-user-config",
		"-display", "none", "-machine", "virt", "-accel", "tcg", "-cpu", "cortex-a57", "-m", "256", "-serial", "stdio", "-nic", "none",
		"-bios", x.file("u-boot.bin"), "-device", "virtio-blk-pci,drive=disk",
		"-drive", strings.Join(append([]string{"if=none,id=disk,format=raw,file=" + x.file("disk.img")}, drive...), ","))
	out, err := cmd.Output()
	if err != nil {
		x.t.Fatalf("QEMU: %v\n%s", err, out)
	}
	got := ""
	for _, line := range bootArgs.FindAllString(string(out), -1) {
		_, after, _ := strings.Cut(line, "sallyport.slot=")
		name, _, _ := strings.Cut(after, " ")
		got, x.last = got+name, line
	}
	if got != want {
		x.t.Fatalf("the slots %q were started, want %q:\n%s", got, want, out)
	}
	x.put(x.h.Path("/proc/cmdline"), []byte(x.last))
	x.run("mcopy", "mtools", "-n", "-i", x.part(1), "::uboot.env", "::uboot-redund.env", x.h.Path("/boot"))
}

func (x *board) wants(n slot.Name, want slot.State) {
	x.t.Helper()
	if got, err := x.State(x.t.Context(), n); err != nil || got != want {
		x.t.Errorf("slot %s is %+v, %v, want %+v", n, got, err, want)
	}
}

// ready wants the machine to have been booted by the script, in that slot.
func (x *board) ready(n slot.Name) {
	x.t.Helper()
	if err := x.Ready(x.t.Context()); err != nil {
		x.t.Error(err)
	}
	if got, err := x.Running(x.t.Context()); got != n {
		x.t.Errorf("slot %s runs, %v, want %s", got, err, n)
	}
}

func (x *board) arm() {
	x.t.Helper()
	if err := x.Disarm(x.t.Context(), slot.B); err != nil {
		x.t.Fatal(err)
	}
	if _, err := x.Arm(x.t.Context(), slot.B); err != nil {
		x.t.Fatal(err)
	}
}

func asItIs(script string) string { return script }

// started is a board that has booted its slot A once. The counters of its environment go round in the test.
func started(t *testing.T, a, b []byte) *board {
	t.Helper()
	x := newBoard(t, a, b, asItIs)
	x.count(254, 255)
	x.boots("A")
	x.ready(slot.A)
	return x
}

var goodFirst = slot.State{Verdict: slot.Good, First: true}

// A board that was set up by the page, and nothing beside it.
func TestQEMUCommit(t *testing.T) {
	x := newBoard(t, kernel(switchOff), kernel(switchOff), asItIs)
	x.boots("A")
	x.ready(slot.A)
	x.arm()
	x.boots("B")
	if !strings.Contains(x.last, "rd.emergency=reboot") || !strings.Contains(x.last, "panic=10") {
		t.Errorf("the trial gets %s", x.last)
	}
	x.wants(slot.B, slot.State{Verdict: slot.Trial, Left: 2, First: true})
	if err := x.Commit(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	x.boots("B")
	x.ready(slot.B)
	x.wants(slot.B, goodFirst)
	if env, err := os.ReadFile(x.h.Path("/boot/uboot.env")); err != nil || !bytes.Contains(env, []byte("\x00other=x  y\x00")) {
		t.Errorf("the variable that sallyport_keep names is lost: %v", err)
	}
}

// A kernel that panics boots again: three tries, then the good slot.
func TestQEMUPanic(t *testing.T) {
	x := started(t, kernel(switchOff), kernel(reset))
	x.arm()
	x.boots("BBBA")
	x.ready(slot.A)
	x.wants(slot.B, slot.State{Verdict: slot.Trial})
	x.wants(slot.A, goodFirst)
}

// A kernel that cannot be loaded costs a try, and no more than one at a time.
func TestQEMUNoKernel(t *testing.T) {
	x := started(t, kernel(switchOff), nil)
	x.arm()
	x.boots("A")
	x.ready(slot.A)
	x.wants(slot.B, slot.State{Verdict: slot.Trial})
}

// U-Boot cannot store a try: the good slot is booted, and the trial keeps its tries.
func TestQEMUCannotSave(t *testing.T) {
	x := started(t, kernel(switchOff), kernel(switchOff))
	x.arm()
	x.boots("A", "read-only=on")
	x.ready(slot.A)
	x.wants(slot.B, slot.State{Verdict: slot.Trial, Left: 3, First: true})
	x.boots("B")
}

// The same of U-Boot's own environment: this one's flash takes no writes.
func TestQEMUSaveenvFails(t *testing.T) {
	x := newBoard(t, kernel(switchOff), kernel(switchOff), func(s string) string {
		own := "setenv BOOT_ORDER 'B A'; setenv BOOT_B_LEFT 3; setenv sallyport_B trial; setenv sallyport_A good; setenv sallyport_mark m\n"
		return own + strings.Replace(s, `envdev="${devtype} ${devnum}:1"`, "envdev=", 1)
	})
	x.boots("A")
	if !strings.Contains(x.last, "sallyport.env=m ") {
		t.Errorf("slot A gets %s", x.last)
	}
}

// One copy is cut: the other one counts, and the cut one is written next.
func TestQEMUOneCopyIsCut(t *testing.T) {
	for _, cut := range []string{"/boot/uboot.env", "/boot/uboot-redund.env"} {
		x := started(t, kernel(switchOff), kernel(reset))
		x.arm()
		x.edit(cut, func(env []byte) { clear(env[512:1024]); env[100]++ })
		before, err := x.State(t.Context(), slot.B)
		if err != nil {
			t.Fatal(err)
		}
		if before.Left == 0 { // Arm's own write was cut
			x.boots("A")
			continue
		}
		x.boots("BBBA")
		x.wants(slot.B, slot.State{Verdict: slot.Trial})
	}
}

// Nothing is known: a slot comes up all the same, nothing is written, and nothing is armed on that ground.
func TestQEMUBothCopiesAreBad(t *testing.T) {
	x := newBoard(t, nil, kernel(switchOff), asItIs)
	for _, name := range []string{"/boot/uboot.env", "/boot/uboot-redund.env"} {
		x.edit(name, func(env []byte) { env[1]++ })
	}
	x.boots("B")
	if err := x.Ready(t.Context()); err == nil {
		t.Error("it is ready")
	}
	if !strings.Contains(x.last, "sallyport.env= ") {
		t.Errorf("slot B gets %s", x.last)
	}
}

func TestQEMUPowerCuts(t *testing.T) { cutUpdates(t, 10, 1500) }

// A sample of what a power cut leaves, in the real loader: it boots what we read.
func TestQEMUPowerCutBoots(t *testing.T) {
	x := started(t, kernel(switchOff), kernel(switchOff))
	r := rand.New(rand.NewPCG(18, 3))
	const file = "/boot/uboot.env"
	for round := range 6 {
		var before []byte
		x.edit(file, func(env []byte) { before = bytes.Clone(env) })
		x.arm() // two writes: one of them to this file
		x.edit(file, func(env []byte) {
			for at := 0; at < len(env); at += 512 {
				if r.IntN(2) == 0 {
					copy(env[at:at+512], before[at:])
				}
			}
			env[len(env)-1] ^= byte(round % 2) // its first sector holds everything: damage what is zero, too
		})
		state, err := x.State(t.Context(), slot.B)
		if err != nil {
			t.Fatal(err)
		}
		x.boots(map[bool]string{true: "B", false: "A"}[state.First])
		if state.First {
			x.wants(slot.B, slot.State{Verdict: slot.Trial, Left: 2, First: true})
		}
		// The next round begins in the good slot.
		x.put(x.h.Path("/proc/cmdline"), []byte(strings.Replace(x.last, "slot=B", "slot=A", 1)))
	}
}
