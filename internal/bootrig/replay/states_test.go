package replay

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// play makes all the disks of a recording, each as one letter a sector.
func play(t *testing.T, before string, o Options, entries []Entry, data ...string) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	disk, file := filepath.Join(dir, "disk"), filepath.Join(dir, "log")
	var bytes [][]byte
	for _, d := range data {
		bytes = append(bytes, sectors(d))
	}
	if err := errors.Join(os.WriteFile(disk, sectors(before), 0o600), os.WriteFile(file, record(entries, bytes), 0o600)); err != nil {
		t.Fatal(err)
	}
	l, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seen := map[string][]string{}
	err = Each(disk, l, o, func(s State) error {
		var b strings.Builder
		for at := range len(before) {
			b.WriteByte(s.Slice(int64(at)*Sector, 1)[0])
		}
		seen[b.String()] = append(seen[b.String()], s.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func expect(t *testing.T, seen map[string][]string, want ...string) {
	t.Helper()
	for _, w := range want {
		if seen[w] == nil {
			t.Errorf("no disk is %s", w)
		}
		delete(seen, w)
	}
	for disk, names := range seen {
		t.Errorf("a disk cannot be %s: %v", disk, names)
	}
}

func TestEveryTornPrefixIsMade(t *testing.T) {
	seen := play(t, "----", Options{Every: func(Entry) bool { return true }}, []Entry{{Offset: Sector}, {Offset: 0}}, "abc", "d")
	expect(t, seen, "----", "-a--", "-ab-", "-abc", "dabc")
}

// Writes that no flush stands behind may be lost in any order; those before a flush may not.
func TestUnflushedWritesAreLost(t *testing.T) {
	seen := play(t, "----", Options{Subsets: 64}, []Entry{{}, {Flags: Flush}, {Offset: Sector}, {Offset: 2 * Sector}}, "a", "", "b", "c")
	expect(t, seen, "----", "a---", "ab--", "a-c-", "abc-")
}

// Where every torn prefix is looked at, a lost write may have got to any sector; elsewhere to the end of a block of 4096 bytes, as disks
// have that do not write less.
func TestLostWritesEndAtABlock(t *testing.T) {
	before := strings.Repeat("-", 17)
	entries := []Entry{{Offset: 6 * Sector}, {Flags: Flush}, {Offset: 16 * Sector}}
	data := []string{strings.Repeat("a", 10), "", "z"}
	after := func(n int) string { return "------" + strings.Repeat("a", n) + strings.Repeat("-", 11-n) }
	expect(t, play(t, before, Options{Subsets: 256}, entries, data...), before, after(2), after(10), after(10)[:16]+"z")
	var all []string
	for n := range 11 {
		all = append(all, after(n))
	}
	expect(t, play(t, before, Options{Subsets: 256, Every: func(Entry) bool { return true }}, entries, data...), append(all, after(10)[:16]+"z")...)
}

// A write that waits until it is on the disk is not lost once another came after it, but it flushes none that came before.
func TestForcedWritesAreKept(t *testing.T) {
	seen := play(t, "---", Options{Subsets: 64}, []Entry{{}, {Offset: Sector, Flags: FUA}}, "a", "b")
	expect(t, seen, "---", "a--", "-b-", "ab-")
}

func TestWritesBeyondTheDiskAreRefused(t *testing.T) {
	dir := t.TempDir()
	disk, file := filepath.Join(dir, "disk"), filepath.Join(dir, "log")
	recording := record([]Entry{{Offset: Sector}}, [][]byte{sectors("ab")})
	if err := errors.Join(os.WriteFile(disk, sectors("--"), 0o600), os.WriteFile(file, recording, 0o600)); err != nil {
		t.Fatal(err)
	}
	l, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := Each(disk, l, Options{}, func(State) error { return nil }); err == nil {
		t.Error("replayed")
	}
}

func TestSavedDiskIsTheSame(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	want := append(append(sectors("a"), make([]byte, 200<<10)...), sectors("b")...)
	if err := os.WriteFile(from, want, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDisk(from)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Save(to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != string(want) {
		t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
	}
}
