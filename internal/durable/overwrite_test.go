package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

func TestOverwriteKeepsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "block")
	if err := os.WriteFile(path, []byte("0123456789"), 0o640); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := (durable.Disk{}).Overwrite(path, []byte("abc"), 4); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "0123abc789" {
		t.Errorf("got %q", got)
	}
	if !os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Error("it is another file")
	}
}

func TestOverwriteMakesNothingLonger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "block")
	var d durable.Disk
	if err := d.Overwrite(path, []byte("a"), 0); err == nil {
		t.Error("wrote over nothing")
	}
	if err := os.WriteFile(path, []byte("0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{-1, 2, 4} {
		if err := d.Overwrite(path, []byte("abc"), off); err == nil {
			t.Errorf("wrote three bytes at %d of four", off)
		}
	}
	if got, _ := os.ReadFile(path); string(got) != "0123" {
		t.Errorf("got %q", got)
	}
}

func TestOverwriteFails(t *testing.T) {
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			path := filepath.Join(t.TempDir(), "block")
			if err := os.WriteFile(path, []byte("old!"), 0o600); err != nil {
				t.Fatal(err)
			}
			faults := &durabletest.Faults{At: at, Mode: mode}
			err := faults.Disk().Overwrite(path, []byte("new!"), 0)
			if !faults.Fell() {
				if at != 2 {
					t.Errorf("%s: %d operations, want a write and a flush", mode, at)
				}
				break
			}
			if err == nil {
				t.Errorf("%s: no error", faults)
			}
			if got, _ := os.ReadFile(path); string(got) != "old!" && string(got) != "new!" {
				t.Errorf("%s: got %q", faults, got)
			}
		}
	}
}
