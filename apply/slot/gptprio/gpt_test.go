package gptprio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/gptprio/gptdisk"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

var names = slot.BootNames{A: "USR-A", B: "USR-B"}

func testDisk() []byte { return gptdisk.New(gptdisk.Flatcar) }

func parseDisk(disk []byte) (*gpt, pair, error) {
	g, err := parse(bytes.NewReader(disk), int64(len(disk)))
	if err != nil {
		return nil, pair{}, err
	}
	p, err := g.table.pair(names)
	return g, p, err
}

// onDisk is a loader of a disk, on a machine that runs slot A.
func onDisk(t *testing.T, disk []byte) (*Loader, string) {
	t.Helper()
	h := host.Host{Root: t.TempDir()}
	if err := os.Mkdir(h.Path("/proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{"/disk": disk, "/proc/cmdline": []byte("sallyport.slot=USR-A")} {
		if err := os.WriteFile(h.Path(path), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := New(Config{Device: "/disk", Names: names, Host: h})
	if err != nil {
		t.Fatal(err)
	}
	return l, h.Path("/disk")
}

const (
	second      = 255 * 512 // the header of the second copy
	secondArray = second - 32*512
)

// recount makes the CRCs of a header right again.
func recount(disk []byte, header, array int) {
	h := disk[header:]
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(disk[array:array+128*128]))
	clear(h[16:20])
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
}

// Damage that a cut write does not leave is told, and nothing is written: not even over the copy that is damaged.
func TestDamagedCopiesAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(d []byte)
		want   string
		read   bool // State still tells
	}{
		"no header":          {func(d []byte) { clear(d[512:1024]) }, "first copy of the GPT is damaged: it has no header", true},
		"header":             {func(d []byte) { d[512+56]++ }, "first copy of the GPT is damaged: the CRC of its header", true},
		"second header":      {func(d []byte) { d[second+1]++ }, "second copy of the GPT is damaged: it has no header", true},
		"second elsewhere":   {func(d []byte) { d[second+24]++; recount(d, second, secondArray) }, "made for another place", true},
		"both headers":       {func(d []byte) { d[512]++; d[second]++ }, "it has no GPT", false},
		"both arrays":        {func(d []byte) { d[1024]++; d[secondArray]++ }, "both copies of the GPT are damaged", false},
		"array and header":   {func(d []byte) { d[1024]++; d[second+60]++ }, "both copies of the GPT are damaged", false},
		"two tables":         {func(d []byte) { d[secondArray+40]++; recount(d, second, secondArray) }, "two different tables", false},
		"two disks":          {func(d []byte) { d[second+56]++; recount(d, second, secondArray) }, "two different tables", false},
		"stale second array": {func(d []byte) { d[second+56]++; recount(d, second, secondArray); d[secondArray]++ }, "two different tables", true},
		"version":            {func(d []byte) { d[512+10]++; recount(d, 512, 1024) }, "another version", true},
		"too many entries":   {func(d []byte) { d[512+83] = 1; recount(d, 512, 1024) }, "entries of 128 bytes", true},
		"huge entries":       {func(d []byte) { d[512+87] = 1; recount(d, 512, 1024) }, "entries of", true},
		"array over header":  {func(d []byte) { d[second+72] = 224; recount(d, second, secondArray) }, "its entries lie where", true},
		"array over data":    {func(d []byte) { d[512+72] = 30; recount(d, 512, 1024) }, "its entries lie where", true},
		"array beyond":       {func(d []byte) { d[512+75] = 1; recount(d, 512, 1024) }, "that the disk does not have", true},
		"usable beyond":      {func(d []byte) { d[512+54] = 1; recount(d, 512, 1024) }, "that the disk does not have", true},
		"partition beyond": {func(d []byte) {
			for _, array := range []int{1024, secondArray} {
				d[array+128+44] = 1
			}
			recount(d, 512, 1024)
			recount(d, second, secondArray)
		}, "partition 2 lies at", false},
	} {
		t.Run(name, func(t *testing.T) {
			disk := testDisk()
			c.damage(disk)
			l, file := onDisk(t, disk)
			for _, err := range []error{l.Ready(t.Context()), l.Disarm(t.Context(), slot.B), l.Commit(t.Context(), slot.A)} {
				wantUnready(t, err, c.want)
			}
			if state, err := l.State(t.Context(), slot.A); c.read != (err == nil && state == slot.State{Verdict: slot.Good, First: true}) {
				t.Errorf("slot A is %+v, %v", state, err)
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, disk) {
				t.Errorf("the disk was written: %v", err)
			}
		})
	}
}

// An array that is not the one its header describes is what a cut write leaves: the next change makes both copies whole.
func TestCutWritesAreMended(t *testing.T) {
	for _, at := range []int{1024 + 3*128 + 54, secondArray + 3*128 + 54} {
		disk := testDisk()
		disk[at] ^= 0x10
		l, file := onDisk(t, disk)
		if err := l.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Disarm(t.Context(), slot.B); err != nil {
			t.Fatal(err)
		}
		if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, testDisk()) {
			t.Errorf("the disk is not as it was before the damage at %d: %v", at, err)
		}
	}
}

// Every sector of every write that a change makes may be there or not when the power goes: each mixture is the state before or after.
func TestPowerCutAnywhere(t *testing.T) {
	before := testDisk()
	g, p, err := parseDisk(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.lead(slot.B, 3, false); err != nil {
		t.Fatal(err)
	}
	want := [2]slot.State{{Verdict: slot.Bad}, {Verdict: slot.Trial, Left: 3, First: true}}
	disk, states, after := bytes.Clone(before), 0, 0
	for number, w := range g.writes() {
		n := len(w.data) / 512
		for mask := range subsets(n) {
			cut := bytes.Clone(disk)
			for i := range n {
				if mask[i] {
					copy(cut[int(w.off)+512*i:], w.data[512*i:512*(i+1)])
				}
			}
			h, q, err := parseDisk(cut)
			if err != nil {
				t.Fatalf("%v of the write at %d: %v", mask, w.off, err)
			}
			if number == 0 && h.first.err() != nil {
				t.Fatalf("the first copy, which a kernel wants to see, is written before the second is whole")
			}
			got := q.state(slot.B)
			if i := slices.Index(want[:], got); i < 0 || q.state(slot.A).Verdict != slot.Good {
				t.Errorf("%v of the write at %d: slot B is %+v", mask, w.off, got)
			} else {
				after += i
			}
			states++
		}
		copy(disk[w.off:], w.data)
	}
	if states < 1000 || after == 0 || after == states {
		t.Errorf("%d states, %d of them the new one", states, after)
	}
	if _, q, err := parseDisk(disk); err != nil || q.state(slot.B) != want[1] {
		t.Errorf("after the whole change: %v", err)
	}
	if diff := differing(before, disk); diff > 2*(8+8) {
		t.Errorf("%d bytes have changed", diff)
	}
}

// The proof of the proof: without a flush between the two copies, both can be cut.
func TestPowerCutFindsWhoWritesBothCopies(t *testing.T) {
	disk := testDisk()
	g, p, err := parseDisk(disk)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.lead(slot.B, 3, false); err != nil {
		t.Fatal(err)
	}
	for _, w := range g.writes() {
		copy(disk[w.off:], w.data[:512]) // the first sector of each
	}
	if _, q, err := parseDisk(disk); err == nil {
		t.Errorf("slot B is %+v", q.state(slot.B))
	}
}

// subsets are the prefixes of n sectors, and each alone, and all but each, and some at random.
func subsets(n int) func(yield func([]bool) bool) {
	return func(yield func([]bool) bool) {
		for at := range n + 1 {
			for kind := range 3 {
				mask := make([]bool, n)
				for i := range mask {
					mask[i] = [3]bool{i < at, i == at, i != at}[kind]
				}
				if !yield(mask) {
					return
				}
			}
		}
		r := rand.New(rand.NewPCG(18, uint64(n)))
		for range 500 {
			mask := make([]bool, n)
			for i := range mask {
				mask[i] = r.IntN(2) == 0
			}
			if !yield(mask) {
				return
			}
		}
	}
}

func differing(a, b []byte) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestSectorsOf4096(t *testing.T) {
	small := testDisk()
	disk := make([]byte, 64*4096)
	copy(disk[4096:], small[512:512+92])
	copy(disk[2*4096:], small[1024:1024+128*128])
	copy(disk[63*4096:], small[second:second+92])
	copy(disk[59*4096:], small[1024:1024+128*128])
	for _, h := range []struct{ at, my, other, array byte }{{1, 1, 63, 2}, {63, 63, 1, 59}} {
		b := disk[int(h.at)*4096:]
		b[24], b[32], b[72], b[40], b[48], b[49] = h.my, h.other, h.array, 6, 58, 0
		for i := range 5 {
			e := disk[int(h.array)*4096+128*i:]
			e[32], e[40] = byte(10+i), byte(10+i)
		}
		recount(disk, int(h.at)*4096, int(h.array)*4096)
	}
	l, _ := onDisk(t, disk)
	if _, err := l.Arm(t.Context(), slot.B); err != nil {
		t.Fatal(err)
	}
	if state, err := l.State(t.Context(), slot.B); err != nil || state.Left != 3 {
		t.Errorf("%+v, %v", state, err)
	}
}

func FuzzParse(f *testing.F) {
	disk := testDisk()
	f.Add(disk[512:1024+5*128], disk[secondArray:secondArray+5*128], disk[second:second+92])
	f.Add(disk[512:1024], []byte{}, []byte{})
	f.Add([]byte{}, []byte{}, disk[second:second+92])
	f.Fuzz(func(t *testing.T, front, array, back []byte) {
		disk := bytes.Clone(disk)
		copy(disk[512:], front)
		copy(disk[secondArray:], array)
		copy(disk[second:], back)
		for _, right := range []bool{false, true} {
			if right {
				recount(disk, 512, 1024)
				recount(disk, second, secondArray)
			}
			g, p, err := parseDisk(disk)
			if err != nil || g.mendable() != nil || p.lead(slot.B, 3, false) != nil {
				continue
			}
			for _, w := range g.writes() {
				copy(disk[w.off:], w.data)
			}
			if _, q, err := parseDisk(disk); err != nil || q.state(slot.B) != (slot.State{Verdict: slot.Trial, Left: 3, First: true}) {
				t.Errorf("armed: %v", err)
			}
		}
	})
}

func wantUnready(t *testing.T, err error, text string) {
	t.Helper()
	var u *slot.UnreadyError
	if !errors.As(err, &u) || !strings.Contains(u.Error(), text) || u.Advice == "" {
		t.Errorf("got %v, want an UnreadyError about %q", err, text)
	}
}
