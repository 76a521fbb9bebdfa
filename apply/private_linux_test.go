package apply

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// What may tell of Secrets is for the site's owner alone, also where an older program has made it readable for all.
func TestStateIsPrivate(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	for _, path := range []string{s.journalPath(), s.historyPath()} {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.must(r.two)
	err := filepath.WalkDir(s.cfg.Spec.State, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(s.cfg.Spec.State, path)
		open := strings.HasPrefix(rel, "releases/") || rel == "marker" || rel == "slots/running" // they have nothing of the objects
		if info.Mode().Perm()&0o077 != 0 && !open {
			t.Errorf("%s has mode %s", rel, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.recordPath(s.status().LastAttempted.Transaction)); err != nil {
		t.Error(err)
	}
	if os.Getuid() != 0 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	_, err = s.Status()
	if back := syscall.Setfsuid(0); back != nil {
		t.Fatal(back)
	}
	if err == nil || !strings.Contains(err.Error(), "is for its owner alone") || reasonOf(err) != "state" {
		t.Errorf("status of somebody else: %v", err)
	}
}
