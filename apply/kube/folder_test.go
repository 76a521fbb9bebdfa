package kube

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

func readFolder(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, FolderFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFolderTwoReleasesAndNone(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	f := NewFolder(dir, durable.Disk{})
	first := objects("%s", configMap("shop", "limits", `"1"`)+configMap("shop", "old", "x")+namespace("shop"))
	dry, err := f.DryRun(ctx, first, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "dry run on nothing", dry, "created ConfigMap shop/limits", "created ConfigMap shop/old", "created Namespace shop")
	if _, err := os.Stat(filepath.Join(dir, FolderFile)); !errors.Is(err, os.ErrNotExist) {
		t.Error("a dry run wrote the file")
	}
	inv, changes, err := f.Apply(ctx, first, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "apply", changes, "created Namespace shop", "created ConfigMap shop/limits", "created ConfigMap shop/old")
	text := readFolder(t, dir)
	if i, j := strings.Index(text, "kind: Namespace"), strings.Index(text, "kind: ConfigMap"); i < 0 || j < i {
		t.Errorf("the namespace does not come first:\n%s", text)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}

	second := objects("%s", configMap("shop", "limits", `"2"`)+namespace("shop"))
	dry, err = f.DryRun(ctx, second, inv)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "second dry run", dry, "configured ConfigMap shop/limits", "unchanged Namespace shop", "pruned ConfigMap shop/old")
	if !slices.Equal(dry[0].Fields, []string{"data.limit: 1 -> 2"}) {
		t.Errorf("fields %q", dry[0].Fields)
	}
	inv2, _, err := f.Apply(ctx, second, inv)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readFolder(t, dir), "old") {
		t.Error("what left the release is gone from the file before it is pruned")
	}
	pruned, err := f.Prune(ctx, inv, inv2)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune", pruned, "pruned ConfigMap shop/old")
	if strings.Contains(readFolder(t, dir), "old") {
		t.Error("what left the release is still in the file")
	}
	if statuses, err := f.Health(ctx, second); err != nil || len(statuses) != 2 || statuses[0].Status != Unknown {
		t.Errorf("health %+v, %v", statuses, err)
	} else {
		var u *UnhealthyError
		if err := CheckHealth(statuses); !errors.As(err, &u) || !u.Permanent() || !strings.Contains(err.Error(), "does not tell its health") {
			t.Errorf("a health check of a folder: got %v", err)
		}
	}

	if _, err := f.Prune(ctx, inv2, Inventory{}); err != nil {
		t.Fatal(err)
	}
	text = readFolder(t, dir)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("with no release the file holds %q", line)
		}
	}
	if listed, err := f.Inventory(ctx, first); err != nil || !slices.Equal(listed.IDs(), inv.IDs()) {
		t.Errorf("Inventory = %v, %v", listed.IDs(), err)
	}
}

func TestFolderSurvivesWhatItFinds(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	f := NewFolder(dir, durable.Disk{})
	path := filepath.Join(dir, FolderFile)
	want := objects("%s", configMap("shop", "a", "x"))
	if err := os.WriteFile(path, []byte("{{{ edited by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, _, err := f.Apply(ctx, want, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Apply(ctx, want, inv); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the same again wrote the file: %v", err)
	}
	if err := os.WriteFile(path, []byte("{{{ edited by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Prune(ctx, inv, Inventory{}); err != nil || strings.Contains(readFolder(t, dir), "{{{") {
		t.Errorf("prune all of an unreadable file: %v", err)
	}
	twice := objects("%s", configMap("shop", "a", "x")+configMap("shop", "a", "z"))
	if _, _, err := f.Apply(ctx, twice, inv); err == nil || !strings.Contains(err.Error(), "ConfigMap shop/a stands there twice") {
		t.Errorf("the same object twice: got %v", err)
	}
}

func TestFolderFaults(t *testing.T) {
	ctx := t.Context()
	want := objects("%s", configMap("shop", "a", "x"))
	full := durable.Disk{Intercept: func(op durable.Op, do func() error) error {
		if op.Kind == durable.OpWrite {
			return &os.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
		}
		return do()
	}}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, dir string
		disk      durable.Disk
		reason    string
		want      string
	}{
		{"no folder", filepath.Join(t.TempDir(), "missing"), durable.Disk{}, "unusable", "start the cluster's software"},
		{"a file in its place", file, durable.Disk{}, "unusable", "target.manifestsDir.path"},
		{"full disk", t.TempDir(), full, "room", "free some space"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := NewFolder(tt.dir, tt.disk)
			_, _, err := f.Apply(ctx, want, Inventory{})
			var target *TargetError
			if !errors.As(err, &target) || target.Reason() != tt.reason || !strings.Contains(target.Hint(), tt.want) ||
				!strings.Contains(err.Error(), tt.dir) {
				t.Errorf("got %v, want a TargetError with the hint %q", err, tt.want)
			}
			if entries, err := os.ReadDir(tt.dir); err == nil && len(entries) > 0 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}
