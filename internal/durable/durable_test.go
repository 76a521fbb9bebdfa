package durable_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "(none)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// readDir returns name=content of the files of a folder.
func readDir(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return "(none)"
	}
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, e := range entries {
		parts = append(parts, e.Name()+"="+read(t, filepath.Join(dir, e.Name())))
	}
	return strings.Join(parts, " ")
}

func TestWriteFileSetsContentAndMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, content := range []string{"one", "", "three, longer than before"} {
		if err := durable.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != content {
			t.Errorf("content is %q, want %q", got, content)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o640 {
		t.Errorf("mode is %o, want 640", info.Mode().Perm())
	}
}

func TestWriteFromKeepsTheFileWhenTheReaderFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := durable.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("stick pulled")
	r := iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader([]byte("new"))))
	if _, err := durable.WriteFrom(path, r, 0o600); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("error is %v, want the reader's", err)
	}
	if _, err := durable.WriteFrom(path, iotest.ErrReader(broken), 0o600); !errors.Is(err, broken) {
		t.Errorf("error is %v, want the reader's", err)
	}
	if got := readDir(t, dir); got != "f=old" {
		t.Errorf("folder holds %q, want the old file alone", got)
	}
}

func TestAppendLineRefusesNewlines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := durable.AppendLine(path, []byte("a\nb"), 0o600); err == nil {
		t.Error("a line with a newline was accepted")
	}
	if got := read(t, path); got != "(none)" {
		t.Errorf("the file holds %q", got)
	}
}

func TestAppendLineCutsATornTail(t *testing.T) {
	long := strings.Repeat("x", 10000)
	for _, c := range []struct{ before, after string }{
		{"", "new\n"},
		{"torn", "new\n"},
		{"whole\n", "whole\nnew\n"},
		{"whole\ntorn", "whole\nnew\n"},
		{"whole\n" + long, "whole\nnew\n"},
		{long + "\n" + long, long + "\nnew\n"},
	} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := durable.AppendLine(path, []byte("new"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != c.after {
			t.Errorf("%.20q became %.20q, want %.20q", c.before, got, c.after)
		}
	}
}

func TestLinesLeavesOutATornTail(t *testing.T) {
	for in, want := range map[string]string{"": "[]", "a": "[]", "a\n": "[a]", "a\nb\nc": "[a b]", "\n\n": "[ ]"} {
		if got := fmt.Sprintf("%s", durable.Lines([]byte(in))); got != want {
			t.Errorf("Lines(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestRemoveOfNothingIsNoError(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "no", "folder")} {
		if err := durable.Remove(path); err != nil {
			t.Errorf("Remove: %v", err)
		}
		if err := durable.RemoveAll(path); err != nil {
			t.Errorf("RemoveAll: %v", err)
		}
	}
}

func TestMkdirAllRefusesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := durable.MkdirAll(path, 0o755); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error is %v, want one that names %s", err, path)
	}
}

func TestSweepRemovesTemporaryFilesOnly(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"f", ".hidden", ".f.tmp-123", "a.tmp-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := (durable.Disk{}).Sweep(dir); err != nil {
		t.Fatal(err)
	}
	if got := readDir(t, dir); got != ".hidden= a.tmp-1= f=" {
		t.Errorf("left: %q", got)
	}
}

// everyFault runs work with each mode of fault at each operation, then look, which says what the disk may not be.
func everyFault(t *testing.T, prepare, work func(d durable.Disk, dir string) error, look func(dir string, ok bool) string) {
	t.Helper()
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			dir := t.TempDir()
			if err := prepare(durable.Disk{}, dir); err != nil {
				t.Fatal(err)
			}
			faults := &durabletest.Faults{At: at, Mode: mode}
			err := work(faults.Disk(), dir)
			if !faults.Fell() {
				if err != nil || at == 0 {
					t.Fatalf("%s: no fault fell at %d, yet: %v", mode, at, err)
				}
				break
			}
			if problem := look(dir, err == nil); problem != "" {
				t.Errorf("%s: %s (error was %v)", faults, problem, err)
			}
			if err := work(durable.Disk{}, dir); err != nil {
				t.Errorf("%s: the next try failed: %v", faults, err)
			}
			if problem := look(dir, true); problem != "" {
				t.Errorf("%s: after the next try: %s", faults, problem)
			}
		}
	}
}

// oldOrNew is the promise of each replacing write: before it has said so old or new, afterwards new.
func oldOrNew(got, old, new string, ok bool) string {
	if got == new || (!ok && got == old) {
		return ""
	}
	return fmt.Sprintf("found %q, want %q or, before success, %q", got, new, old)
}

func TestWriteFileUnderEveryFault(t *testing.T) {
	everyFault(t,
		func(d durable.Disk, dir string) error {
			return d.WriteFile(filepath.Join(dir, "f"), []byte("old"), 0o600)
		},
		func(d durable.Disk, dir string) error {
			return d.WriteFile(filepath.Join(dir, "f"), []byte("new"), 0o600)
		},
		func(dir string, ok bool) string {
			return oldOrNew(read(t, filepath.Join(dir, "f")), "old", "new", ok)
		})
}

func TestAppendLineUnderEveryFault(t *testing.T) {
	lines := func(dir string) string {
		return fmt.Sprintf("%s", durable.Lines([]byte(read(t, filepath.Join(dir, "f")))))
	}
	everyFault(t,
		func(_ durable.Disk, dir string) error {
			return os.WriteFile(filepath.Join(dir, "f"), []byte("one\ntorn"), 0o600)
		},
		func(d durable.Disk, dir string) error {
			if lines(dir) == "[one two]" {
				return nil
			}
			return d.AppendLine(filepath.Join(dir, "f"), []byte("two"), 0o600)
		},
		func(dir string, ok bool) string { return oldOrNew(lines(dir), "[one]", "[one two]", ok) })
}

func TestReplaceDirUnderEveryFault(t *testing.T) {
	fill := func(name, content string) func(d durable.Disk, dir string) error {
		return func(d durable.Disk, dir string) error {
			return d.ReplaceDir(filepath.Join(dir, "slot"), func(temp string) error {
				return d.WriteFile(filepath.Join(temp, name), []byte(content), 0o600)
			})
		}
	}
	everyFault(t, fill("old", "1"), fill("new", "2"), func(dir string, ok bool) string {
		return oldOrNew(readDir(t, filepath.Join(dir, "slot")), "old=1", "new=2", ok)
	})
}

// Without the swap of two folders, RestoreDir must run first; then the same promise holds.
func TestReplaceDirWithoutExchangeUnderEveryFault(t *testing.T) {
	put := func(name string) func(d durable.Disk, dir string) error {
		return func(d durable.Disk, dir string) error {
			inner := d.Intercept
			d.Intercept = func(op durable.Op, do func() error) error {
				if op.Kind == durable.OpExchange {
					return errors.ErrUnsupported
				}
				if inner == nil {
					return do()
				}
				return inner(op, do)
			}
			return d.ReplaceDir(filepath.Join(dir, "slot"), func(temp string) error {
				return os.WriteFile(filepath.Join(temp, name), []byte("1"), 0o600)
			})
		}
	}
	everyFault(t, put("old"), put("new"), func(dir string, ok bool) string {
		if err := (durable.Disk{}).RestoreDir(filepath.Join(dir, "slot")); err != nil {
			return err.Error()
		}
		return oldOrNew(readDir(t, filepath.Join(dir, "slot")), "old=1", "new=1", ok)
	})
}

func TestMkdirAllAndRemoveAllUnderEveryFault(t *testing.T) {
	nothing := func(durable.Disk, string) error { return nil }
	make3 := func(d durable.Disk, dir string) error { return d.MkdirAll(filepath.Join(dir, "a", "b", "c"), 0o755) }
	everyFault(t, nothing, make3, func(dir string, ok bool) string {
		_, err := os.Stat(filepath.Join(dir, "a", "b", "c"))
		if ok && err != nil {
			return err.Error()
		}
		return ""
	})
	everyFault(t, make3, func(d durable.Disk, dir string) error { return d.RemoveAll(filepath.Join(dir, "a")) },
		func(dir string, ok bool) string {
			if _, err := os.Stat(filepath.Join(dir, "a")); ok && err == nil {
				return "the folder is still there"
			}
			return ""
		})
}

// The crash must lose what was not flushed, or the tests above prove nothing.
func TestCrashLosesWhatWasNotFlushed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := durable.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	// opendir, create, write, sync, rename: the rename is not flushed when the crash falls before operation 5.
	faults := &durabletest.Faults{At: 5, Mode: durabletest.Crash}
	if err := faults.Disk().WriteFile(path, []byte("new"), 0o600); !errors.Is(err, durabletest.ErrCrashed) {
		t.Fatalf("error is %v, want the crash", err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("the file holds %q: an unflushed rename survived", got)
	}
	if err := faults.Disk().WriteFile(path, []byte("new"), 0o600); !errors.Is(err, durabletest.ErrCrashed) {
		t.Errorf("error after the crash is %v", err)
	}
}

// A skipped flush of the file must show: the name survives, the bytes do not.
func TestCrashShowsAMissingFlush(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	faults := &durabletest.Faults{At: 5, Mode: durabletest.Crash}
	d := faults.Disk()
	d.Intercept = func(op durable.Op, do func() error) error {
		if op.Kind == durable.OpSync {
			return nil
		}
		return faults.Disk().Intercept(op, do)
	}
	// opendir, create, write, rename, syncdir, then one more that crashes.
	if err := d.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile(filepath.Join(dir, "g"), nil, 0o600); !errors.Is(err, durabletest.ErrCrashed) {
		t.Fatalf("error is %v, want the crash", err)
	}
	if got := read(t, path); got != "" {
		t.Errorf("the file holds %q, though it was never flushed", got)
	}
}
