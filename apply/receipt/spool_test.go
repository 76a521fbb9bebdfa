package receipt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

func TestReceiptsAreAChain(t *testing.T) {
	k, dir := newTestKey(t), t.TempDir()
	s := spoolAt(t, dir, k)
	s.must(t, sample(1, "committed"))
	again := sample(2, "staged")
	s.must(t, again)
	second := sample(2, "committed")
	second.Attempt = 2
	spoolAt(t, dir, k).must(t, second) // of another process
	var last *Statement
	for _, name := range []string{"store-1.json", "store-2.json", "store-2.2.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		st, err := Open(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.By(k.Key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if st.By(newTestKey(t).Key) == nil {
			t.Errorf("%s is signed by a key that was never used", name)
		}
		if last != nil && (st.Receipt.Previous.Digest != last.Digest || st.Receipt.Number != last.Receipt.Number+1) {
			t.Errorf("%s does not follow the receipt before", name)
		}
		last = st
	}
}

func TestOneChangedByteIsFound(t *testing.T) {
	k := newTestKey(t)
	r := sample(1, "committed")
	r.Number = 1
	sealed, err := k.Seal(r)
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for i := range sealed.Bytes {
		b := append([]byte(nil), sealed.Bytes...)
		b[i] ^= 1
		if st, err := Open(b); err == nil && st.By(k.Key) == nil && st.KeyID() == k.ID {
			accepted++
		}
	}
	if accepted > 0 {
		t.Errorf("%d of %d changed envelopes were taken", accepted, len(sealed.Bytes))
	}
}

// A receipts spool that fills the disk: old ones of one outcome are merged into a count, never silently lost, and those that
// nobody has yet stay longest.
func TestOldReceiptsBecomeCounts(t *testing.T) {
	s := spoolAt(t, t.TempDir(), newTestKey(t))
	for i := range 6 {
		s.must(t, sample(uint64(i+1), []string{"committed", "rolledBack"}[i%2]))
	}
	s.index.Receipts[3].Carried = true
	gone := s.index.trim(3, MaxBytes)
	if got := s.numbers(); got != "3 5 6" || len(gone) != 3 {
		t.Errorf("left: %s, gone: %d", got, len(gone))
	}
	s.must(t, sample(7, "committed"))
	var total uint64
	text := ""
	for _, m := range s.Merged() {
		total += m.Count
		text += fmt.Sprintf("%s %d %d-%d;", m.Result, m.Count, m.First, m.Last)
	}
	if total != 3 || text != "rolledBack 2 2-4;committed 1 1-1;" {
		t.Errorf("merged: %s", text)
	}
	if s.index.trim(10, 1); s.numbers() != "" {
		t.Errorf("over the bytes: %s", s.numbers())
	}
}

// A small file of ours that a power loss cut to nothing breaks no verb.
func TestIndexThatIsLostIsMadeAgain(t *testing.T) {
	for _, content := range []string{"", "{", `{"version":2}`, "\x00\x00\x00"} {
		k, dir := newTestKey(t), t.TempDir()
		s := spoolAt(t, dir, k)
		for i := range 3 {
			s.must(t, sample(uint64(i+1), "committed"))
		}
		if err := os.WriteFile(filepath.Join(dir, indexName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s = spoolAt(t, dir, k)
		s.must(t, sample(4, "committed"))
		if got := s.numbers(); got != "1 2 3 4" {
			t.Errorf("%q: the spool holds %s", content, got)
		}
	}
}

// Exactly once, whatever the disk does: after each fault the next try tells the attempt with the same number, under the same name.
func TestAddUnderEveryFault(t *testing.T) {
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			k, dir := newTestKey(t), t.TempDir()
			spoolAt(t, dir, k).must(t, sample(1, "committed"))
			faults := &durabletest.Faults{At: at, Mode: mode}
			s, err := OpenSpool(dir, faults.Disk(), k)
			if err == nil {
				err = s.Add(sample(2, "rolledBack"))
			}
			fell := faults.Fell()
			s = spoolAt(t, dir, k)
			if last := s.Last(); err == nil && last.Transaction != 2 {
				t.Fatalf("%s: told, and forgotten", faults)
			} else if last.Transaction != 2 {
				s.must(t, sample(2, "rolledBack"))
			}
			if got := s.numbers(); got != "1 2" {
				t.Errorf("%s: the spool holds %s", faults, got)
			}
			for _, e := range s.entries() {
				if _, err := s.read(e); err != nil {
					t.Errorf("%s: %v", faults, err)
				}
			}
			names, _ := s.files()
			if strings.Join(names, " ") != "store-1.json store-2.json store.key.json" {
				t.Errorf("%s: the folder holds %v", faults, names)
			}
			if !fell {
				break
			}
		}
	}
}

func TestKeyUnderEveryFault(t *testing.T) {
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			path := filepath.Join(t.TempDir(), "site.key")
			faults := &durabletest.Faults{At: at, Mode: mode}
			_, _ = MakeKey(faults.Disk(), path)
			k, err := MakeKey(durable.Disk{}, path)
			if err != nil {
				t.Fatalf("%s: %v", faults, err)
			}
			if again, err := MakeKey(durable.Disk{}, path); err != nil || again.ID != k.ID {
				t.Errorf("%s: the key changed: %v", faults, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", faults, info.Mode(), err)
			}
			if !faults.Fell() {
				break
			}
		}
	}
}

// A key that a power loss cut to nothing is replaced: the new one begins a chain of its own, and nothing is told twice.
func TestKeyThatIsLost(t *testing.T) {
	path, dir := filepath.Join(t.TempDir(), "site.key"), t.TempDir()
	open := func() *Spool {
		t.Helper()
		k, err := MakeKey(durable.Disk{}, path)
		if err != nil {
			t.Fatal(err)
		}
		return spoolAt(t, dir, k)
	}
	first := open()
	first.must(t, sample(1, "committed"))
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open()
	if s.Last() == nil || s.Last().Transaction != 1 {
		t.Errorf("what was told is forgotten: %+v", s.Last())
	}
	r := sample(2, "committed")
	s.must(t, r)
	if r.Number != 1 || r.Previous != nil || s.numbers() != "1 1" {
		t.Errorf("the receipt has number %d, follows %v; the spool holds %s", r.Number, r.Previous, s.numbers())
	}
	b, err := s.read(*s.index.Enrolment)
	if err != nil {
		t.Fatal(err)
	}
	st, err := Open(b)
	if err != nil || st.Enrolment.Replaces != first.key.ID || st.KeyID() != s.key.ID {
		t.Errorf("the enrolment is %+v, %v", st.Enrolment, err)
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
}

func TestCarryLeavesOthersAlone(t *testing.T) {
	medium := filepath.Join(t.TempDir(), Folder)
	carry := func(s *Spool) string {
		t.Helper()
		put, err := s.Carry(context.Background(), medium, Presence{Site: Site{Name: "store"}, Made: noon})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range put {
			if p.Receipt {
				names = append(names, p.File)
			}
		}
		return strings.Join(names, " ")
	}
	a := spoolAt(t, t.TempDir(), newTestKey(t))
	a.must(t, sample(1, "committed"))
	if got := carry(a); got != "store-1.json" {
		t.Errorf("carried %s", got)
	}
	if got := carry(a); got != "" {
		t.Errorf("carried again: %s", got)
	}
	// Another machine goes by the same name, as one does that was recovered without its key.
	b := spoolAt(t, t.TempDir(), newTestKey(t))
	b.must(t, sample(1, "rolledBack"))
	got := carry(b)
	if !strings.HasPrefix(got, "store-1.") || got == "store-1.json" {
		t.Errorf("the other machine's receipt is %s", got)
	}
	names, err := os.ReadDir(medium)
	if err != nil || len(names) != 6 {
		t.Errorf("the medium holds %v, %v", names, err)
	}
}

// A medium that cannot be written, or that holds something else under the name, is an error, and the receipt stays due.
func TestCarryFails(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"a file has the folder's name": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"a folder has the file's name": func(dir string) error { return os.MkdirAll(filepath.Join(dir, "store-1.json", "x"), 0o700) },
	} {
		s := spoolAt(t, t.TempDir(), newTestKey(t))
		s.must(t, sample(1, "committed"))
		dir := filepath.Join(t.TempDir(), Folder)
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Carry(context.Background(), dir, Presence{Site: Site{Name: "store"}, Made: noon}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if s.index.Receipts[0].Carried {
			t.Errorf("%s: it counts as carried", name)
		}
	}
	s := spoolAt(t, t.TempDir(), newTestKey(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Carry(ctx, t.TempDir(), Presence{Site: Site{Name: "store"}, Made: noon}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// A link on a medium must not have a file of this machine overwritten.
func TestCarryFollowsNoLink(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(victim, filepath.Join(dir, "store-1.json")); err != nil {
		t.Fatal(err)
	}
	s := spoolAt(t, t.TempDir(), newTestKey(t))
	s.must(t, sample(1, "committed"))
	if _, err := s.Carry(context.Background(), dir, Presence{Site: Site{Name: "store"}, Made: noon}); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(victim); string(b) != "precious" {
		t.Errorf("the file behind the link is %q", b)
	}
}

// FAT takes these names, and no two sites share one.
func TestNames(t *testing.T) {
	seen := map[string]string{}
	for _, site := range []string{"a", "a-1", "a-1.2", "a.key", "a.now", "con.a", "site-con.a"} {
		for kind, name := range map[string]string{"receipt": nameOf(site, 17, 1), "second": nameOf(site, 17, 2), "key": keyName(site), "now": presenceName(site)} {
			if other, taken := seen[name]; taken && site != "site-con.a" {
				t.Errorf("%s of %s is %s, as is %s", kind, site, name, other)
			}
			seen[name] = kind + " of " + site
			if strings.ContainsAny(name, `"*/:<>?\|+,;=[] `) || strings.HasPrefix(name, "con.") || strings.ToLower(name) != name {
				t.Errorf("FAT does not take %s", name)
			}
		}
	}
	if got := nameOf("store-0142", 17, 1); got != "store-0142-17.json" {
		t.Errorf("the name is %s", got)
	}
}
