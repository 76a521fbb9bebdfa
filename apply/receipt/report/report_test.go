package report

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/receipt"
)

func TestStates(t *testing.T) {
	staged, next := release(2), noon.Add(48*time.Hour)
	runs := release(1)
	for want, tell := range map[string]func(m *machine) receipt.Standing{
		StateOK: func(m *machine) receipt.Standing { return receipt.Standing{Runs: &runs} },
		StateFailed: func(m *machine) receipt.Standing {
			m.tells(2, "rolledBack", func(r *receipt.Receipt) { r.Reason = "check a: no answer" })
			return receipt.Standing{Runs: &runs}
		},
		StatePerson: func(m *machine) receipt.Standing {
			m.tells(2, "needsPerson")
			return receipt.Standing{Runs: &runs, Person: "the mirror lacks 2 blobs"}
		},
		StateHeld: func(m *machine) receipt.Standing {
			m.tells(2, "staged")
			return receipt.Standing{Runs: &runs, Staged: &staged, Held: "frozen: the season"}
		},
		StateNotDue: func(m *machine) receipt.Standing {
			m.tells(2, "staged")
			return receipt.Standing{Runs: &runs, Staged: &staged, NextWindow: &next}
		},
		StateOffline: func(m *machine) receipt.Standing { return receipt.Standing{Runs: &runs} },
	} {
		begun := noon
		if want == StateOffline {
			begun = noon.Add(-48 * time.Hour)
		}
		m, dir := machineOf(t, "store", begun), t.TempDir()
		m.tells(1, "committed")
		m.exports(dir, tell(m))
		f := read(t, dir, Options{})
		if got := f.sites(); got != "store 1.0.0 "+want {
			t.Errorf("%s: %s", want, got)
		}
		if f.States[want] != 1 || len(f.Apart) != 0 {
			t.Errorf("%s: states %v, apart %s", want, f.States, f.apart())
		}
	}
	// A rollback that somebody asked for has not failed.
	m, dir := newMachine(t, "store"), t.TempDir()
	m.tells(1, "committed")
	m.tells(2, "rolledBack", func(r *receipt.Receipt) { r.Verb = "rollback" })
	m.exports(dir, receipt.Standing{Runs: &runs})
	if got := read(t, dir, Options{}).sites(); got != "store 1.0.0 ok" {
		t.Error(got)
	}
}

// What is on several sticks counts once, and sums up.
func TestCopiesCountOnce(t *testing.T) {
	m, dir := newMachine(t, "store"), t.TempDir()
	m.tells(1, "committed")
	m.exports(filepath.Join(dir, "stick1"), receipt.Standing{})
	m.tells(2, "committed")
	m.exports(filepath.Join(dir, "stick2", "deeper"), receipt.Standing{})
	f := read(t, dir, Options{})
	if f.Receipts != 2 || f.Bytes.Read != 2000 || !f.Sites[0].Applied.Equal(noon.Add(2*time.Minute)) || len(f.Apart) != 0 {
		t.Errorf("%d receipts, %+v, apart %s", f.Receipts, f.Bytes, f.apart())
	}
}

func TestWhatStandsApart(t *testing.T) {
	change := func(t *testing.T, path, from, to string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(b, []byte(from)) {
			t.Fatal(err, string(b))
		}
		if err := os.WriteFile(path, bytes.Replace(b, []byte(from), []byte(to), 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, sites, apart string
		do                 func(t *testing.T, m *machine, dir string)
	}{
		{"a receipt that another has signed", "store 2.0.0 ok", "signature store store-1.json", func(t *testing.T, m *machine, dir string) {
			m.tells(2, "committed")
			m.exports(dir, receipt.Standing{Runs: ptr(release(2))})
			change(t, filepath.Join(dir, "store-1.json"), `"sig":"M`, `"sig":"N`)
		}},
		{"a receipt that is cut", "store 1.0.0 ok", "damaged  store-2.json", func(t *testing.T, m *machine, dir string) {
			m.tells(2, "committed")
			m.exports(dir, receipt.Standing{Runs: ptr(release(1))})
			if err := os.Truncate(filepath.Join(dir, "store-2.json"), 700); err != nil {
				t.Fatal(err)
			}
		}},
		{"a key that is not enrolled", "", "unknown store store-1.json; unknown store store.now.json", func(t *testing.T, m *machine, dir string) {
			m.exports(dir, receipt.Standing{})
			if err := os.Remove(filepath.Join(dir, "store.key.json")); err != nil {
				t.Fatal(err)
			}
		}},
		{"a cloned disk", "store 2.0.0 ok", "cloned store CLONE", func(t *testing.T, m *machine, dir string) {
			c := m.clone()
			m.tells(2, "committed")
			c.tells(2, "rolledBack", func(r *receipt.Receipt) { r.Ended = noon })
			m.exports(dir, receipt.Standing{Runs: ptr(release(2))})
			c.exports(dir, receipt.Standing{Runs: ptr(release(2))})
			m.now = m.now.Add(time.Minute)
			m.tells(3, "committed")
			m.exports(dir, receipt.Standing{Runs: ptr(release(2))})
		}},
		{"a cloned disk with another name", "other 1.0.0 ok; store 1.0.0 ok", "names other .; names store .", func(t *testing.T, m *machine, dir string) {
			m.exports(dir, receipt.Standing{Runs: ptr(release(1))})
			c := m.clone()
			c.site.Name = "other"
			c.open()
			c.exports(dir, receipt.Standing{Runs: ptr(release(1))})
		}},
		{"recovered under a new key", "store 3.0.0 ok", "recovered store .", func(t *testing.T, m *machine, dir string) {
			m.tells(2, "committed")
			m.exports(dir, receipt.Standing{Runs: ptr(release(2))})
			n := newMachine(t, "store")
			n.now = noon.Add(30 * time.Minute)
			n.tells(1, "committed")
			n.exports(dir, receipt.Standing{Runs: ptr(release(3))})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, dir := newMachine(t, "store"), t.TempDir()
			m.tells(1, "committed")
			c.do(t, m, dir)
			f := read(t, dir, Options{})
			got := f.apart()
			if strings.HasSuffix(c.apart, "CLONE") {
				got = regexp.MustCompile(`store-2\S*json`).ReplaceAllString(got, "CLONE")
			}
			if f.sites() != c.sites || got != c.apart {
				t.Errorf("sites %q, want %q\napart %q, want %q", f.sites(), c.sites, got, c.apart)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// A receipt that was left out is told of as missing; one that the site has merged is not.
func TestMissing(t *testing.T) {
	m, dir := newMachine(t, "store"), t.TempDir()
	for i := range 4 {
		m.tells(uint64(i+1), "committed")
	}
	m.exports(dir, receipt.Standing{})
	for _, name := range []string{"store-1.json", "store-3.json"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f := read(t, dir, Options{})
	if f.Sites[0].Missing != 2 || len(f.Apart) != 0 {
		t.Errorf("missing %d, apart %s", f.Sites[0].Missing, f.apart())
	}
}

// With --trust only those enrolments count.
func TestTrust(t *testing.T) {
	dir, trust := t.TempDir(), t.TempDir()
	for _, name := range []string{"good", "evil"} {
		m := newMachine(t, name)
		m.tells(1, "committed")
		m.exports(dir, receipt.Standing{Runs: ptr(release(1))})
	}
	b, err := os.ReadFile(filepath.Join(dir, "good.key.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(trust, "whatever.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, trust := range []string{trust, filepath.Join(trust, "whatever.json")} {
		f := read(t, dir, Options{Trust: trust})
		if f.sites() != "good 1.0.0 ok" || f.apart() != "unknown evil evil-1.json; unknown evil evil.key.json; unknown evil evil.now.json" {
			t.Errorf("sites %s, apart %s", f.sites(), f.apart())
		}
	}
	if _, err := Read(t.Context(), dir, Options{Trust: t.TempDir()}); err == nil {
		t.Error("a folder without enrolments was taken for trust")
	}
}

// A hostile receipts/ folder: links, pipes, huge files, deep folders, names that are paths.
func TestHostileFolder(t *testing.T) {
	m, dir := newMachine(t, "store"), t.TempDir()
	m.tells(1, "committed")
	m.exports(dir, receipt.Standing{Runs: ptr(release(1))})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink("/etc/passwd", filepath.Join(dir, "link.json")))
	must(os.Symlink(dir, filepath.Join(dir, "loop")))
	must(os.Symlink("/", filepath.Join(dir, "root")))
	huge, err := os.Create(filepath.Join(dir, "huge.json"))
	must(err)
	must(huge.Truncate(1 << 40))
	must(huge.Close())
	must(os.WriteFile(filepath.Join(dir, "empty.json"), nil, 0o600))
	must(os.WriteFile(filepath.Join(dir, "=cmd|' !A0.json"), []byte(strings.Repeat("[", 100_000)), 0o600))
	must(os.WriteFile(filepath.Join(dir, "readme.txt"), []byte("not a receipt"), 0o600))
	must(os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", 40)), 0o700))
	f := read(t, dir, Options{})
	if f.sites() != "store 1.0.0 ok" || f.apart() != "damaged  =cmd|' !A0.json; damaged  empty.json; damaged  huge.json" {
		t.Errorf("sites %s, apart %s", f.sites(), f.apart())
	}
}

// Whatever labels, reasons and file names say, the page runs nothing and asks for nothing, the table has no formula, and OpenMetrics
// has one sample a line.
func TestHostileWords(t *testing.T) {
	m, dir := newMachine(t, "store"), t.TempDir()
	evil := "<script>alert(1)</script>\"'><img src=//x onerror=y>\n=1+1;=2+2,@SUM(A1)\t-3 |+4"
	m.site.Labels = map[string]string{"region": evil, "ring": "=HYPERLINK(\"http://x\")"}
	m.tells(1, "rolledBack", func(r *receipt.Receipt) { r.Reason = evil })
	m.exports(dir, receipt.Standing{Runs: ptr(release(1))})
	if err := os.WriteFile(filepath.Join(dir, "<b>x.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := read(t, dir, Options{})
	var page, csv, metrics bytes.Buffer
	for _, err := range []error{f.HTML(&page), f.CSV(&csv), f.OpenMetrics(&metrics)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if tags := regexp.MustCompile(`<(script|img|iframe|link|b)\b|<[^>]+(src|href)=`).FindAllString(page.String(), -1); tags != nil {
		t.Errorf("the page holds %q", tags)
	}
	if !strings.Contains(page.String(), "default-src 'none'") {
		t.Error("the page forbids nothing")
	}
	if formulas := regexp.MustCompile(`[",;|\t\r\n] *[=+@-]`).FindAllString(csv.String(), -1); formulas != nil {
		t.Errorf("the table holds formulas: %q", formulas)
	}
	if n := strings.Count(csv.String(), "\n"); n != 2 {
		t.Errorf("the table has %d lines", n)
	}
	if !strings.HasSuffix(metrics.String(), "# EOF\n") {
		t.Error("OpenMetrics does not end")
	}
	sample := regexp.MustCompile(`^([a-z_]+(\{([a-z_]+="(\\.|[^"\\])*",?)*\})? -?\d+|# (TYPE|UNIT|HELP|EOF).*)$`)
	for line := range strings.Lines(metrics.String()) {
		if !sample.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("no sample: %q", line)
		}
	}
}

// In each country another character ends a cell.
func TestNoFormulaAfterAnySeparator(t *testing.T) {
	for in, want := range map[string]string{
		"=1": "'=1", "a;=1": "a;'=1", "a,@x": "a,'@x", "a|+1": "a|'+1", "a\t-1": "a '-1", "\x20=1": "\x20'=1", "a\r\n=1": "a  '=1", `"=1`: `"'=1`, "＝1": "'＝1",
		"a-b": "a-b", "store-0142": "store-0142", "2026-11-21T12:00:00Z": "2026-11-21T12:00:00Z", "1+1": "1+1", "": "",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	m, dir := newMachine(f, "store"), f.TempDir()
	m.tells(1, "committed")
	m.exports(dir, receipt.Standing{})
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) != 3 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		st, err := receipt.Open(b)
		if err != nil {
			return
		}
		if st.Site().Name == "" || strings.ContainsAny(st.Site().Name, "/\\") {
			t.Errorf("a site is called %q", st.Site().Name)
		}
		c := newCollector(Options{Now: noon, OfflineAfter: time.Hour})
		c.take("fuzz.json", st)
		fl := c.fleet()
		var page, csv bytes.Buffer
		if fl.HTML(&page) != nil || fl.CSV(&csv) != nil || strings.Contains(page.String(), "<script") {
			t.Error("the report cannot be shown")
		}
	})
}
