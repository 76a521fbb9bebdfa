package gptprio

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
)

// coreos/bugs#1628: two slots with one file system UUID. Only what tells partitions apart counts.
func TestRunning(t *testing.T) {
	_, p, err := parseDisk(testDisk())
	if err != nil {
		t.Fatal(err)
	}
	a1, b1 := p.of(slot.A).unique(), p.of(slot.B).unique()
	for line, want := range map[string]slot.Name{
		"mount.usr=PARTUUID=" + b1:                                                          slot.B,
		"verity.usr=PARTUUID=" + a1 + " root=LABEL=ROOT":                                    slot.A,
		`dm-mod.create="root,,,ro,0 1 verity 1 PARTUUID=` + b1 + `/PARTNROFF=1 PARTUUID=x"`: slot.B,
		"sallyport.slot=USR-B":                                                              slot.B,
		"sallyport.slot=USR-B mount.usr=PARTUUID=" + b1:                                     slot.B,
		"sallyport.slot=USR-A mount.usr=PARTUUID=" + b1:                                     slot.None,
		"x=" + a1 + " y=" + b1:                                                              slot.None,
		"sallyport.slot=USR-C mount.usr=PARTUUID=" + b1:                                     slot.None,
		"root=UUID=" + a1 + " root=LABEL=USR-A":                                             slot.None,
		"mount.usr=PARTLABEL=USR-A":                                                         slot.None,
		b1:                                                                                  slot.None,
		"kern_guid=" + strings.ToUpper(b1):                                                  slot.B,
		"root=UUID=" + b1:                                                                   slot.None,
		"":                                                                                  slot.None,
	} {
		l, _ := onDisk(t, testDisk())
		if err := os.WriteFile(l.cfg.Host.Path("/proc/cmdline"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := l.Running(t.Context())
		if got != want || (err == nil) != (want != slot.None) {
			t.Errorf("%q: got %s, %v, want %s", line, got, err, want)
		}
		if want == slot.None {
			wantUnready(t, err, "the kernel's command line")
			wantUnready(t, l.Ready(t.Context()), "the kernel's command line")
		}
	}
}

func TestNamesOfPartitions(t *testing.T) {
	for _, c := range []struct {
		a, b, want string
	}{
		{"USR-A", "USR-X", "no partition is labelled USR-X"},
		{"USR-A", "2", "are one partition"},
		{"2", "04", "no partition is labelled 04"},
		{"2", "6", "no partition is labelled 6"},
		{"2", "129", "no partition is labelled 129"},
		{"2", "3", "of which no loader reads priorities"},
		{"OEM", "4", "of which no loader reads priorities"},
	} {
		l, _ := onDisk(t, testDisk())
		l.cfg.Names = slot.BootNames{A: c.a, B: c.b}
		wantUnready(t, l.Ready(t.Context()), c.want)
	}
	disk := testDisk()
	for _, array := range []int{1024, secondArray} {
		copy(disk[array+128*2+56:], disk[array+128+56:array+256])
	}
	recount(disk, 512, 1024)
	recount(disk, second, secondArray)
	l, _ := onDisk(t, disk)
	wantUnready(t, l.Ready(t.Context()), "2 and 3 are both labelled USR-A")
}

func TestPrioritiesWithoutRoom(t *testing.T) {
	_, p, err := parseDisk(testDisk())
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.table[:17] {
		copy(p.table[i][atType:], p.of(slot.A)[atType:][:guidSize])
		p.table[i].set(min(i, 15), 0, true)
	}
	p.table[0].set(1, 0, true)
	p.table[16].set(2, 0, true)
	if err := p.lead(slot.B, 3, false); err != nil || p.of(slot.B).priority() != 15 || p.table[15].priority() != 14 || p.table[16].priority() != 2 {
		t.Errorf("B has %d, partition 16 %d, partition 17 %d: %v", p.of(slot.B).priority(), p.table[15].priority(), p.table[16].priority(), err)
	}
	p.table[16].set(4, 0, true)
	p.table[15].set(15, 0, true)
	for i := range 15 {
		p.table[i].set(i+1, 0, true)
	}
	if err := p.lead(slot.B, 3, false); err == nil {
		t.Errorf("there is room above 15 others: %d", p.of(slot.B).priority())
	}
}

// A partition without priority is never booted, not even if there is no other.
func TestNoPriority(t *testing.T) {
	_, p, err := parseDisk(testDisk())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range p.rivals() {
		p.table[i].set(0, 3, true)
	}
	for _, n := range []slot.Name{slot.A, slot.B} {
		if got := p.state(n); got != (slot.State{Verdict: slot.Bad}) {
			t.Errorf("slot %s is %+v", n, got)
		}
	}
}

func TestDisksThatCannotBeRead(t *testing.T) {
	for _, cfg := range []Config{{Device: "/disk", Tries: 16}, {}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
	l, file := onDisk(t, testDisk())
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	wantUnready(t, l.Ready(t.Context()), "no such file")
	l, _ = onDisk(t, make([]byte, 100))
	wantUnready(t, l.Disarm(t.Context(), slot.B), "it has no GPT")
}
