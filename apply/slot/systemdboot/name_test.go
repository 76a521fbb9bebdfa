package systemdboot

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	for file, want := range map[string]name{
		"b.conf":                      {"b", uncounted, 0},
		"b+3.conf":                    {"b", 3, 0},
		"b+2-1.conf":                  {"b", 2, 1},
		"b+0-3.conf":                  {"b", 0, 3},
		"b+0.conf":                    {"b", 0, 0},
		"b+1+2-1.conf":                {"b+1", 2, 1},
		"B.CONF":                      {"B", uncounted, 0},
		"b+3.CONF":                    {"b+3", uncounted, 0}, // the loader compares what follows a counter by letter
		"b+.conf":                     {"b+", uncounted, 0},
		"b+3-.conf":                   {"b+3-", uncounted, 0},
		"b+-1.conf":                   {"b+-1", uncounted, 0},
		"b+3-1-1.conf":                {"b+3-1-1", uncounted, 0},
		"b+3x.conf":                   {"b+3x", uncounted, 0},
		"b+2147483647.conf":           {"b", 2147483647, 0},
		"b+2147483648.conf":           {"b+2147483648", uncounted, 0},
		"b+99999999999999999999.conf": {"b+99999999999999999999", uncounted, 0},
		"+3.conf":                     {"", 3, 0},
	} {
		if got, ok := parseName(file, extension); !ok || got != want {
			t.Errorf("%s: got %+v, %v", file, got, ok)
		}
	}
	for _, file := range []string{"", "b", "b.con", "conf", "b.conf.bak", ".cfg"} {
		if got, ok := parseName(file, extension); ok {
			t.Errorf("%s: got %+v", file, got)
		}
	}
}

// TestOwnNames: what this package calls a file is read as it was meant, and counting never leads to a name of ours.
func TestOwnNames(t *testing.T) {
	for file, left := range map[string]int{goodFile("b"): uncounted, badFile("b"): 0, trialFile("b", 3): 3} {
		if got, ok := parseName(file, extension); !ok || got != (name{"b", left, 0}) {
			t.Errorf("%s: got %+v", file, got)
		}
	}
}

var versions = []string{
	"", "1", "2", "01", "0", "00", "10", "1.2", "1.10", "1a", "a1", "12.8", "12.8-1", "12.8~rc1", "12.8^1", "6.1.0-18", "6.1.0-18-amd64",
	"~1", "-1", "^1", ".1", "v7", "1_2", "1+2", "_", "1..2", "1.-2", "a", "ab", "A", "1.~2", "slot-b.conf", "slot-b+2-1.conf", "slot-a.conf",
	"memtest.conf", "._1", "007", "99999999999999999999", "1.", "1-", "b~~1", "b~~",
}

// TestCompareVersions asks systemd itself about many of the pairs.
func TestCompareVersions(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not here: only the order of a few is looked at")
		analyze = ""
	}
	for i, a := range versions {
		for j, b := range versions[i:] {
			got := compareVersions(a, b)
			if back := compareVersions(b, a); back != -got {
				t.Errorf("%q, %q: %d, and the other way round %d", a, b, got, back)
			}
			if analyze == "" || a == "" || b == "" || j > 2 {
				continue
			}
			if want := ask(t, analyze, a, b); got != want {
				t.Errorf("%q, %q: got %d, systemd says %d", a, b, got, want)
			}
		}
	}
	for _, sorted := range []string{"~1 -1 ^1 .1 a ab 1 1.2 1.10 2 10", "12.8~rc1 12.8 12.8-1 12.8^1 12.8.1"} {
		all := strings.Fields(sorted)
		for i := range all[1:] {
			if compareVersions(all[i], all[i+1]) != -1 {
				t.Errorf("%s is not older than %s", all[i], all[i+1])
			}
		}
	}
}

// ask is systemd's order of two versions: status 11 for newer, 12 for older.
func ask(t *testing.T, analyze, a, b string) int {
	t.Helper()
	err := exec.CommandContext(t.Context(), analyze, "compare-versions", "--", a, b).Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		t.Fatal(err)
	case exit.ExitCode() == 11:
		return 1
	case exit.ExitCode() == 12:
		return -1
	}
	t.Fatalf("%q, %q: %v", a, b, err)
	return 0
}

// TestAbove: there is a newer version than each that an entry may have, but for numbers without end.
func TestAbove(t *testing.T) {
	for _, v := range versions {
		next, ok := above(v)
		if wantOK := v != "99999999999999999999"; ok != wantOK || ok && compareVersions(next, v) <= 0 {
			t.Errorf("%q: %q, %v", v, next, ok)
		}
	}
	if next, ok := above("6.1.0-18"); next != "7" || !ok {
		t.Errorf("got %q", next)
	}
}

func FuzzCompareVersions(f *testing.F) {
	for _, v := range versions {
		f.Add(v, "1.2-3")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if compareVersions(a, a) != 0 || compareVersions(a, b) != -compareVersions(b, a) {
			t.Errorf("%q and %q have no order", a, b)
		}
		if next, ok := above(a); ok && compareVersions(next, a) <= 0 {
			t.Errorf("%q is not newer than %q", next, a)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, file := range []string{"b.conf", "b+3.conf", "b+2-1.conf", "b+1+2-1.conf", "b+.conf", "+.conf", "b+2147483648.conf", "B+1.CONF"} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		n, ok := parseName(file, extension)
		if !ok {
			return
		}
		if !strings.HasPrefix(file, n.stem) || n.left < uncounted || n.done < 0 || n.left == uncounted && len(n.stem) != len(file)-len(extension) {
			t.Errorf("%q: %+v", file, n)
		}
	})
}

func FuzzEntry(f *testing.F) {
	for _, file := range []string{"type1", "keys-twice", "no-last-newline", "carriage-returns", "comment", "quoted"} {
		b, err := os.ReadFile("testdata/" + file + ".conf")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "sallyport", "7")
	}
	f.Fuzz(func(t *testing.T, content []byte, sortKey, version string) {
		before, program := parseEntry(content)
		var joined strings.Builder
		for _, l := range parseLines(string(content), " \t") {
			joined.WriteString(l.text)
		}
		if joined.String() != string(content) {
			t.Errorf("%q became %q", content, joined.String())
		}
		if strings.ContainsAny(sortKey+version, " \t\n\r\"#") || sortKey == "" || version == "" {
			return
		}
		out := withKeys(content, keys{&sortKey, before.machineID, &version})
		k, again := parseEntry(out)
		if deref(k.sortKey) != sortKey || deref(k.version) != version || again != program {
			t.Errorf("%q became %q", content, out)
		}
		if twice := withKeys(out, k); string(twice) != string(out) && before.machineID == nil {
			t.Errorf("%q is not stable: %q", out, twice)
		}
	})
}

func TestValidName(t *testing.T) {
	for _, s := range []string{"a", "slot-a", "Debian_12.8", strings.Repeat("a", 64)} {
		if err := ValidName(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", ".a", "a+3", "a/b", "a b", "auto-a", "AUTO-a", "ä", strings.Repeat("a", 65)} {
		if ValidName(s) == nil {
			t.Errorf("%q is a name", s)
		}
	}
}
