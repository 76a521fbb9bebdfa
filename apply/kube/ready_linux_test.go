package kube

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// What a manifests folder can be instead of one that takes a file: k3s-io/k3s#12777 and loft-sh/vcluster#604 (another
// user's), and what disks do.
func TestFolderReady(t *testing.T) {
	ctx := t.Context()
	before := NewInventory(ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"})
	for _, tt := range []struct {
		name         string
		make         func(t *testing.T, dir string) // of an empty folder
		prev         Inventory
		reason, want string // empty: it is ready
		hint         string
	}{
		{name: "good", make: func(*testing.T, string) {}},
		{name: "good and used before", make: write("coredns.yaml"), prev: before},
		{"missing", remove, before, "unusable", "no such file or directory", "start the cluster's software"},
		{"a file", func(t *testing.T, dir string) { remove(t, dir); must(t, os.WriteFile(dir, nil, 0o600)) }, before, "unusable", "it is not a folder", "manifestsDir.path"},
		{"below a file", func(t *testing.T, dir string) {
			remove(t, filepath.Dir(dir))
			must(t, os.WriteFile(filepath.Dir(dir), nil, 0o600))
		}, before, "unusable", "not a directory", "manifestsDir.path"},
		{"a link to nothing", func(t *testing.T, dir string) { remove(t, dir); must(t, os.Symlink("/mnt/gone", dir)) }, before, "unusable", "a symbolic link to /mnt/gone", "manifestsDir.path"},
		{"a link in a circle", func(t *testing.T, dir string) { remove(t, dir); must(t, os.Symlink(dir, dir)) }, before, "unusable", "symbolic links", "manifestsDir.path"},
		{"its file is a folder", func(t *testing.T, dir string) { must(t, os.Mkdir(filepath.Join(dir, FolderFile), 0o700)) }, before, "unusable", "not a regular file", "move "},
		{"its file is a pipe", func(t *testing.T, dir string) { must(t, syscall.Mkfifo(filepath.Join(dir, FolderFile), 0o600)) }, before, "unusable", "not a regular file", "move "},
		{"its file is a link to nothing", func(t *testing.T, dir string) { must(t, os.Symlink("/mnt/gone", filepath.Join(dir, FolderFile))) }, before, "", "", ""},
		{"emptied", func(*testing.T, string) {}, before, "unusable", "its disk is not mounted", "touch "},
		{"another user's", asNobody(func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o755)) }), before, "unusable", "permission denied", "usually root"},
		{"in another user's", asNobody(func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Dir(dir), 0o700)) }), before, "unusable", "permission denied", "usually root"},
		{"another user's file", asNobody(func(t *testing.T, dir string) {
			write(FolderFile)(t, dir)
			must(t, os.Chmod(dir, 0o777))
		}), before, "unusable", "sallyport.yaml in it: permission denied", "usually root"},
		{"mounted for reading", mount(syscall.MS_RDONLY, ""), before, "unusable", "read-only file system", "mount that disk for writing"},
		{"full", mount(0, "size=64k"), Inventory{}, "room", "no space left", "free some space"},
		{"out of files", mount(0, "nr_inodes=1"), Inventory{}, "room", "no space left", "free some space"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "server", "manifests")
			must(t, os.MkdirAll(dir, 0o755))
			tt.make(t, dir)
			_, err := NewFolder(dir, durable.Disk{}).Ready(ctx, tt.prev)
			if tt.reason == "" {
				must(t, err)
				return
			}
			var target *TargetError
			if !errors.As(err, &target) || target.Reason() != tt.reason || !strings.Contains(err.Error(), tt.want) ||
				!strings.Contains(err.Error(), dir) || !strings.Contains(target.Hint(), tt.hint) {
				t.Errorf("got %v (%v), want %s: %q with the hint %q", err, target, tt.reason, tt.want, tt.hint)
			}
		})
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := NewFolder(t.TempDir(), durable.Disk{}).Ready(ended, Inventory{}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

// A first install that could not write its file leaves nothing to take back, though nothing can be taken back.
func TestFolderPruneOfNothing(t *testing.T) {
	dir := t.TempDir()
	broken := durable.Disk{Intercept: func(durable.Op, func() error) error { return syscall.EROFS }}
	f := NewFolder(dir, broken)
	want := objects("%s", configMap("shop", "a", "x"))
	inv, err := f.Inventory(t.Context(), want)
	must(t, err)
	if _, _, err := f.Apply(t.Context(), want, inv); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Fatalf("apply: %v", err)
	}
	_, err = f.Prune(t.Context(), inv, Inventory{})
	must(t, err)
	write(FolderFile)(t, dir)
	if _, err = f.Prune(t.Context(), inv, Inventory{}); err == nil {
		t.Error("what is there was not taken out, and nobody says so")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	must(t, os.RemoveAll(path))
}

func write(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("# nothing\n"), 0o600))
	}
}

// asNobody goes on as a user who owns nothing. Who is no root is one already.
func asNobody(f func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		f(t, dir)
		if os.Geteuid() != 0 {
			t.Skip("only root can be somebody else")
		}
		for p := filepath.Dir(filepath.Dir(dir)); len(p) > len(os.TempDir()); p = filepath.Dir(p) {
			must(t, os.Chmod(p, 0o755))
		}
		must(t, syscall.Setreuid(-1, 65534))
		t.Cleanup(func() { must(t, syscall.Setreuid(-1, 0)) })
	}
}

// mount puts a file system in memory over the folder.
func mount(flags uintptr, options string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := syscall.Mount("sallyport-test", dir, "tmpfs", 0, options); err != nil {
			t.Skip("mounting needs root: ", err)
		}
		t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
		switch {
		case flags != 0:
			write("coredns.yaml")(t, dir)
			must(t, syscall.Mount("sallyport-test", dir, "tmpfs", syscall.MS_REMOUNT|flags, options))
		case strings.HasPrefix(options, "size="):
			must(t, os.WriteFile(filepath.Join(dir, "coredns.yaml"), make([]byte, 16<<10), 0o600))
		}
	}
}
