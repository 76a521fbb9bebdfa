package gptprio_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/gptprio"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// cros is a disk that ChromeOS' own tool has made, and a machine that runs from its second partition.
type cros struct {
	t    *testing.T
	disk string // the file
	*gptprio.Loader
}

func newCros(t *testing.T) *cros {
	t.Helper()
	h := host.Host{Root: t.TempDir()}
	c := &cros{t: t, disk: h.Path("/disk")}
	for name, size := range map[string]int64{"/disk": 8 << 20, "/proc/cmdline": 0} {
		if err := os.MkdirAll(filepath.Dir(h.Path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.Path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(h.Path(name), size); err != nil {
			t.Fatal(err)
		}
	}
	c.cgpt("create")
	c.cgpt("add", "-i", "2", "-b", "2048", "-s", "1024", "-t", "kernel", "-l", "KERN-A", "-P", "2", "-S", "1", "-B", "1")
	c.cgpt("add", "-i", "4", "-b", "4096", "-s", "1024", "-t", "kernel", "-l", "KERN-B", "-R", "1")
	c.cgpt("add", "-i", "6", "-b", "6144", "-s", "1", "-t", "kernel", "-l", "KERN-C", "-P", "1", "-S", "1")
	c.cgpt("add", "-i", "1", "-b", "8192", "-s", "100", "-t", "data", "-l", "STATE")
	if err := os.WriteFile(h.Path("/proc/cmdline"), []byte("kern_guid="+c.cgpt("show", "-i", "2", "-u")), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := gptprio.New(gptprio.Config{Device: "/disk", Names: slot.BootNames{A: "KERN-A", B: "KERN-B"}, Host: h})
	if err != nil {
		t.Fatal(err)
	}
	c.Loader = l
	return c
}

// cgpt runs the tool, and wants it to find nothing wrong with the disk.
func (c *cros) cgpt(verb string, args ...string) string {
	c.t.Helper()
	out, err := exec.Command(testtools.Tool(c.t, "cgpt", "cgpt"), append(append([]string{verb}, args...), c.disk)...).CombinedOutput()
	if err != nil || verb != "create" && strings.Contains(string(out), "WARNING") || strings.Contains(string(out), "INVALID") {
		c.t.Fatalf("cgpt %s %q: %v\n%s", verb, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// bits are priority, tries and successful of a partition as cgpt shows them.
func (c *cros) bits(partition int) (bits string) {
	c.t.Helper()
	for _, flag := range []string{"-P", "-T", "-S"} {
		bits += c.cgpt("show", "-i", strconv.Itoa(partition), flag) + " "
	}
	return strings.TrimSpace(bits)
}

func (c *cros) wants(a, b, other string) {
	c.t.Helper()
	for partition, want := range map[int]string{2: a, 4: b, 6: other} {
		if got := c.bits(partition); got != want {
			c.t.Errorf("cgpt shows priority, tries and success of partition %d as %s, want %s", partition, got, want)
		}
	}
}

func TestCgptShowsWhatWeWrite(t *testing.T) {
	c := newCros(t)
	whole := c.cgpt("show")
	c.wants("2 0 1", "0 0 0", "1 0 1")
	if err := c.Disarm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if now := c.cgpt("show"); now != whole {
		t.Errorf("cgpt shows\n%s\nthat was\n%s", now, whole)
	}
	if _, err := c.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	c.wants("2 0 1", "3 3 0", "1 0 1")
	if err := c.Commit(t.Context(), slot.A); err != nil {
		t.Fatal(err)
	}
	c.wants("4 0 1", "3 3 0", "1 0 1")
	if got := c.cgpt("show", "-i", "4", "-v"); !strings.Contains(got, "required=1") {
		t.Errorf("the attribute of UEFI's own is lost: %s", got)
	}
	if c.cgpt("show", "-i", "2", "-B") != "1" || c.cgpt("show", "-i", "4", "-A") != "0x33" {
		t.Error("attributes that are not ours have changed")
	}
}

func TestWeReadWhatCgptWrites(t *testing.T) {
	for bits, want := range map[string]slot.State{
		"-P 5 -T 0 -S 1":  {Verdict: slot.Good, First: true},
		"-P 5 -T 7 -S 1":  {Verdict: slot.Good, First: true},
		"-P 1 -T 0 -S 1":  {Verdict: slot.Good},
		"-P 2 -T 0 -S 1":  {Verdict: slot.Good}, // of two that are equal, the first
		"-P 3 -T 15 -S 0": {Verdict: slot.Trial, Left: 15, First: true},
		"-P 1 -T 2 -S 0":  {Verdict: slot.Trial, Left: 2},
		"-P 9 -T 0 -S 0":  {Verdict: slot.Trial},
		"-P 0 -T 3 -S 1":  {Verdict: slot.Bad},
	} {
		c := newCros(t)
		c.cgpt("add", append([]string{"-i", "4"}, strings.Fields(bits)...)...)
		if got, err := c.State(t.Context(), slot.B); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", bits, got, err, want)
		}
	}
}

// Our order is that of cgpt prioritize: the chosen one first, the others as they were among themselves.
func TestArmHasNoRoomAbove(t *testing.T) {
	c, theirs := newCros(t), newCros(t)
	for _, x := range []*cros{c, theirs} {
		x.cgpt("add", "-i", "2", "-P", "15")
		x.cgpt("add", "-i", "6", "-P", "7")
		x.cgpt("add", "-i", "4", "-P", "1")
	}
	if _, err := c.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	theirs.cgpt("add", "-i", "4", "-S", "0", "-T", "3")
	theirs.cgpt("prioritize", "-i", "4")
	c.wants(theirs.bits(2), theirs.bits(4), theirs.bits(6))
	c.wants("2 0 1", "3 3 0", "1 0 1")
}
