package grub

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// filled makes a block of a text, as GRUB fills one up.
func filled(text string) []byte {
	return []byte(signature + text + strings.Repeat("#", blockSize-len(signature)-len(text)))
}

const ours = "sallyport_order=A B\nsallyport_A_state=good\nsallyport_A_left=0\nsallyport_B_state=bad\nsallyport_B_left=0\nsallyport_mark=00ff\n"

func TestParseBlock(t *testing.T) {
	b, err := parseBlock(filled("# a comment\nsaved_entry=a\\\\b\\\nc\n#another\nempty=\nspaced name=x=y\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"saved_entry": "a\\b\nc", "empty": "", "spaced name": "x=y"} {
		if got, found := b.get(name); !found || got != want {
			t.Errorf("%s is %q, %v", name, got, found)
		}
	}
	for _, name := range []string{"", "# a comment", "none"} {
		if got, found := b.get(name); found {
			t.Errorf("%q is %q", name, got)
		}
	}
	if b, err := parseBlock(filled("")); err != nil || len(b.lines) != 0 {
		t.Errorf("an empty block: %v, %v", b, err)
	}
}

// Blocks that GRUB reads and cannot write back (grub-btrfs#374: a block padded with NUL), and those that it does not even read as
// they look.
func TestParseBlockRefuses(t *testing.T) {
	whole := filled(ours)
	padded := func(c string) []byte {
		return append(bytes.TrimRight(whole, "#"), bytes.Repeat([]byte(c), bytes.Count(whole, []byte("##"))*2)...)[:blockSize]
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":             {nil, "0 bytes"},
		"short":               {whole[:512], "512 bytes"},
		"long":                {append(bytes.Clone(whole), '#'), "1025 bytes"},
		"zeros":               {make([]byte, blockSize), "does not begin"},
		"half a signature":    {append([]byte("# GRUB Env"), whole[10+1:]...), "1023 bytes"},
		"another file":        {bytes.Repeat([]byte("x"), blockSize), "does not begin"},
		"padded with NUL":     {padded("\x00"), "not filled with #"},
		"padded with blanks":  {padded(" "), "not filled with #"},
		"newline at the end":  {append(bytes.Clone(whole[:blockSize-1]), '\n'), "ends in a newline"},
		"no last newline":     {filled("a=b"), "not filled with #"},
		"no last newline, #":  {filled("a=b\nc=d"), "not filled with #"},
		"unfinished":          {filled("a=b\\\n"), "not finished"},
		"no variable":         {filled("rubbish\na=b\n"), "no variable"},
		"no name":             {filled("=b\n"), "no variable"},
		"empty line":          {filled("\na=b\n"), "no variable"},
		"backslash in a name": {filled("a\\b=c\n"), "no variable"},
		"zero byte":           {filled("a=b\x00c\n"), "zero byte"},
		"twice":               {filled("a=1\nb=2\na=1\n"), "twice"},
	} {
		if b, err := parseBlock(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want %q", name, b, err, c.want)
		}
	}
}

func testLoader(t *testing.T, dialect string) *Loader {
	t.Helper()
	l, err := New(Config{Dialect: dialect, Names: slot.BootNames{A: "A", B: "B"}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Whatever our variables say, what others keep in the block stays where it is: a torn write leaves it whole.
func TestOthersStayWhereTheyAre(t *testing.T) {
	l := testLoader(t, Plain)
	others := "# WARNING: Do not edit\nsaved_entry=" + strings.Repeat("x", 500) + "\nlast=a\\\\b\n"
	var first []byte
	text := others + ours
	for _, a := range []slot.State{{Verdict: slot.Good}, {Verdict: slot.Bad}, {Verdict: slot.Trial, Left: 7}} {
		b, err := parseBlock(filled(text))
		if err != nil {
			t.Fatal(err)
		}
		tab, err := l.dialect.decode(b, l.list())
		if err != nil {
			t.Fatal(err)
		}
		tab.state["A"] = a
		data, err := l.render(b, tab)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(data, []byte(others))
		if at < 0 || at > atomicSize {
			t.Fatalf("others' variables stand at %d in %s", at, data)
		}
		if first != nil && !bytes.Equal(first[at:], data[at:]) {
			t.Errorf("others' variables have moved:\n%s\n%s", first, data)
		}
		first = data
		text = string(bytes.TrimRight(data[len(signature):], "#"))
	}
}

func TestNoRoom(t *testing.T) {
	l := testLoader(t, Plain)
	for _, c := range []struct {
		other int
		ok    bool
	}{{700, true}, {1024 - 25 - len(ours) - 3, false}} {
		b, err := parseBlock(filled(ours + "x=" + strings.Repeat("y", c.other-3) + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		tab, err := l.dialect.decode(b, l.list())
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.render(b, tab)
		var unready *slot.UnreadyError
		if (err == nil) != c.ok || err != nil && (!errors.As(err, &unready) || !errors.Is(err, errRoom)) {
			t.Errorf("%d other bytes: %v", c.other, err)
		}
	}
}

// The longest names and marks still leave our variables in the first sector.
func TestLongestNamesFit(t *testing.T) {
	names := slot.BootNames{A: strings.Repeat("a", 16), B: strings.Repeat("b", 16)}
	for _, dialect := range []string{Plain, RAUC} {
		l, err := New(Config{Dialect: dialect, Names: names})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(signature) + l.space(&table{order: l.list()}); n > atomicSize {
			t.Errorf("%q: %d bytes", dialect, n)
		}
	}
}

// What Debian's grub-editenv reads of a block that we wrote is what we wrote, and we read what it wrote.
func TestGrubEditenv(t *testing.T) {
	tool := testtools.Tool(t, "grub-editenv", "grub-common")
	path := filepath.Join(t.TempDir(), "grubenv")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(tool, append([]string{path}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return string(out)
	}
	run("create")
	for _, line := range strings.Fields(strings.ReplaceAll(ours, "A B", "A_B")) {
		run("set", strings.ReplaceAll(line, "A_B", "A B"))
	}
	run("set", `other=a\b`)
	l := testLoader(t, Plain)
	l.env = path
	b, tab, err := l.read()
	if err != nil {
		t.Fatal(err)
	}
	tab.state["B"] = slot.State{Verdict: slot.Trial, Left: 3}
	tab.first("B")
	data, err := l.render(b, tab)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.write(data); err != nil {
		t.Fatal(err)
	}
	const want = "sallyport_order=B A\nsallyport_A_state=good\nsallyport_A_left=0\nsallyport_B_state=trial\nsallyport_B_left=3\nsallyport_mark=00ff\nother=a\\b\n"
	if got := run("list"); got != want {
		t.Errorf("grub-editenv reads\n%swant\n%s", got, want)
	}
	run("set", "sallyport_B_left=2", "one_more=1")
	if _, tab, err = l.read(); err != nil || tab.state["B"].Left != 2 {
		t.Errorf("got %+v, %v", tab, err)
	}
}

func FuzzBlock(f *testing.F) {
	for _, text := range []string{"", ours, "a=b\n", "# x\\\ny=z\n", "a=\\\\\\\n\n", "#~~~\n" + ours} {
		f.Add(filled(text))
	}
	f.Add([]byte(signature))
	f.Add(append(filled(ours)[:1023], '\n'))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBlock(data)
		if err != nil {
			return
		}
		before := variables(b)
		out, err := b.marshal([]variable{{"sallyport_x", "a\\b\nc"}}, 40, func(name string) bool { return name == "sallyport_x" })
		if err != nil {
			return
		}
		again, err := parseBlock(out)
		if err != nil {
			t.Fatalf("%q became %q: %v", data, out, err)
		}
		before["sallyport_x"] = "a\\b\nc"
		if !maps.Equal(before, variables(again)) {
			t.Errorf("%q became %q", before, variables(again))
		}
		if twice, err := again.marshal([]variable{{"sallyport_x", "a\\b\nc"}}, 40, func(name string) bool { return name == "sallyport_x" }); err != nil || !bytes.Equal(out, twice) {
			t.Errorf("%q became %q (%v)", out, twice, err)
		}
	})
}

func variables(b *block) map[string]string {
	vars := map[string]string{}
	for _, l := range b.lines {
		if l.name != "" {
			vars[l.name] = l.value
		}
	}
	return vars
}

// The vectors say in their names what is wrong with them; sound.env is a block that grub-editenv made.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/*.env")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := parseBlock(data)
		if err == nil {
			_, err = plain{}.decode(b, []string{"A", "B"})
		}
		if sound := strings.HasPrefix(filepath.Base(file), "sound"); sound != (err == nil) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
