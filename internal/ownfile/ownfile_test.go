package ownfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOpen has the cases of sshd's StrictModes (auth_secure_path in OpenSSH's misc.c), and links, which sshd resolves first.
func TestOpen(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		blame string // what the error names and its hint mends; empty: it opens
		hint  string
	}{
		"as it is":           {func(*testing.T, string) {}, "", ""},
		"readable by all":    {mode("conf/site.yaml", 0o444), "", ""},
		"file of all":        {mode("conf/site.yaml", 0o666), "conf/site.yaml", "chmod go-w "},
		"written by others":  {mode("conf/site.yaml", 0o602), "conf/site.yaml", "chmod o-w "},
		"folder of all":      {mode("conf", 0o777), "conf", "chmod go-w "},
		"folder above":       {mode(".", 0o757), ".", "chmod o-w "},
		"sticky folder":      {mode("conf", 0o777|os.ModeSticky), "", ""},
		"link in a folder":   {link("conf/site.yaml", "loose"), "loose", "chmod go-w "},
		"link to the folder": {link("conf", "tight"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "above")
			path := filepath.Join(dir, "conf/site.yaml")
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, path)
			c.spoil(t, dir)
			f, err := Open(path)
			if c.hint == "" {
				if err != nil {
					t.Fatal(err)
				}
				_ = f.Close()
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Path != filepath.Join(dir, c.blame) || e.Hint() != c.hint+e.Path {
				t.Fatalf("error is %v", err)
			}
			if e.Reason() != "permissions" || !strings.Contains(e.Error(), "can write it") {
				t.Errorf("error is %q", e)
			}
		})
	}
}

func mode(name string, m os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Chmod(filepath.Join(dir, name), m); err != nil {
			t.Fatal(err)
		}
	}
}

// link moves what has the name into a folder beside it, and leaves a link. All may write the folder loose.
func link(name, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		beside, m := filepath.Join(dir, to), os.FileMode(0o755)
		if to == "loose" {
			m = 0o777
		}
		moved := filepath.Join(beside, filepath.Base(name))
		if err := errors.Join(os.Mkdir(beside, m), os.Chmod(beside, m), os.Rename(filepath.Join(dir, name), moved),
			os.Symlink(moved, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOpenOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file away")
	}
	path := filepath.Join(t.TempDir(), "site.yaml")
	write(t, path)
	if err := os.Chown(path, 12345, -1); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err := Open(path); !errors.As(err, &e) || e.Hint() != "chown 0 "+path {
		t.Errorf("error is %v", err)
	}
	// A folder of another user is no better than a file of his, sticky or not.
	dir := filepath.Join(t.TempDir(), "his")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, 12345, -1), os.Chmod(dir, 0o1777)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "site.yaml"))
	if _, err := Open(filepath.Join(dir, "site.yaml")); !errors.As(err, &e) || e.Path != dir {
		t.Errorf("error is %v", err)
	}
}

// TestOpenPipe must not wait for a writer.
func TestOpenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error is %v", err)
	}
}

// TestPrivateGroup: root is alone in its group here, and nobody is in one that does not exist.
func TestPrivateGroup(t *testing.T) {
	if private(54321, 0) || private(0, 54321) {
		t.Error("a group that nobody knows is private")
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := Read(path, 5); err != nil || string(b) != "12345" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Read(path, 4); err == nil || !strings.Contains(err.Error(), "larger than 4 bytes") {
		t.Errorf("error is %v", err)
	}
}
