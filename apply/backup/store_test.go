package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// sh is a hook.
func sh(script string) []string { return []string{"sh", "-c", script} }

// expectError wants an *Error with the reason whose text has all the words.
func expectError(t *testing.T, err error, reason string, words ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Reason() != reason || e.Hint() == "" {
		t.Fatalf("got %v, want an error with the reason %s and a hint", err, reason)
	}
	for _, w := range words {
		if !strings.Contains(e.Error()+"\n"+e.Hint(), w) {
			t.Errorf("%q does not say %q (hint: %s)", e, w, e.Hint())
		}
	}
}

// left are the names in the folder of backups.
func left(t *testing.T, s *Store) []string {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o640)); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHooks(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	mustWrite(t, data, "before")
	s := Open(Config{
		Hooks: &Hooks{Backup: sh(`cp ` + data + ` "$SALLYPORT_BACKUP/copy"; test "$SALLYPORT_SITE_NAME" = shop`),
			Restore: sh(`cp "$SALLYPORT_BACKUP/copy" ` + data + `; echo "$SALLYPORT_STOPPED" >>` + data + `.stopped`),
			Version: sh(`wc -c <` + data)},
		Environ: []string{"SALLYPORT_SITE_NAME=shop"},
	}, filepath.Join(t.TempDir(), "backups"), durable.Disk{})
	info, err := s.Backup(t.Context(), "17")
	if err != nil {
		t.Fatal(err)
	}
	if info.ID != "17" || info.Bytes != 6 || info.Files != 1 || info.Version != "6" || time.Since(info.Time) > time.Minute {
		t.Errorf("got %+v", info)
	}
	if all, err := s.List(); err != nil || len(all) != 1 || all[0] != info {
		t.Errorf("listed %+v, %v", all, err)
	}
	for _, dir := range []string{s.dir, filepath.Join(s.dir, "17")} {
		if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s can be read by others: %v, %v", dir, st.Mode(), err)
		}
	}
	if moved, how := s.Moved(t.Context(), "17"); moved {
		t.Errorf("nothing has moved, and it says: %s", how)
	}
	mustWrite(t, data, "afterwards")
	if moved, how := s.Moved(t.Context(), "17"); !moved || !strings.Contains(how, "6 then, and are at 10 now") {
		t.Errorf("moved: %t %s", moved, how)
	}
	if err := s.Restore(t.Context(), Restoration{ID: "17", For: "t18", Stopped: true}); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, data); got != "before" || mustRead(t, data+".stopped") != "1\n" {
		t.Errorf("restored %q", got)
	}
}

// What is restored once for a transaction stays so: what is written later, as after the reboot, is not lost to a second one.
func TestOneRestoreForEach(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := Open(Config{Hooks: &Hooks{Backup: sh(`echo x >$SALLYPORT_BACKUP/x`), Restore: sh("echo restored >>" + data)}}, t.TempDir(), durable.Disk{})
	if _, err := s.Backup(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"t1", "t1", "t2"} {
		if err := s.Restore(t.Context(), Restoration{ID: "1", For: what}); err != nil {
			t.Fatal(err)
		}
	}
	if got := mustRead(t, data); got != "restored\nrestored\n" {
		t.Errorf("for t1, again for t1, and for t2: %q", got)
	}
}

func TestBackupsThatAreNone(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		words        string
	}{
		{"failed", "echo 'tills: no such table' >&2; exit 3", "exited with status 3: tills: no such table"},
		{"empty", "exit 0", "the backup is empty"},
		{"an empty file", ": >$SALLYPORT_BACKUP/x", "the backup is empty"},
		{"no file", "echo x >$SALLYPORT_BACKUP/x; mkfifo $SALLYPORT_BACKUP/fifo", "has fifo, which is no file"},
		{"hangs", "echo x >$SALLYPORT_BACKUP/x; sleep 60", "it did not end in 1 s"},
		{"hangs in a session of its own, and keeps the pipe", "echo x >$SALLYPORT_BACKUP/x; setsid sleep 60 & wait", "it did not end in 1 s"},
		{"without end", "cat /dev/zero >$SALLYPORT_BACKUP/x", "spec.data.maxBytes"},
		{"too large", "head -c 2000000 /dev/zero >$SALLYPORT_BACKUP/x", "it takes 2 MB, and no more than 1 MB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Open(Config{Hooks: &Hooks{Backup: sh(tt.script), Restore: sh("exit 0")}, Timeout: time.Second, MaxBytes: 1e6},
				t.TempDir(), durable.Disk{})
			began := time.Now()
			_, err := s.Backup(t.Context(), "1")
			expectError(t, err, "backup", "could not be backed up", tt.words)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			if names := left(t, s); len(names) > 0 {
				t.Errorf("it left %q", names)
			}
		})
	}
}

// What is run as root must not be for others to write.
func TestCommandOfOthers(t *testing.T) {
	save := filepath.Join(t.TempDir(), "save")
	cfg := Config{Hooks: &Hooks{Backup: []string{save}, Restore: sh("exit 0")}}
	_, err := Open(cfg, t.TempDir(), durable.Disk{}).Backup(t.Context(), "1")
	expectError(t, err, "backup", "save: no such file", "correct spec.data.backup")
	mustWrite(t, save, "#!/bin/sh\necho x >$SALLYPORT_BACKUP/x\n")
	for mode, words := range map[os.FileMode]string{0o757: "chmod o-w", 0o644: "is not executable"} {
		if err := os.Chmod(save, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Open(cfg, t.TempDir(), durable.Disk{}).Backup(t.Context(), "1")
		expectError(t, err, "backup", "the site's backup command", words)
	}
	if err := os.Chmod(save, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg, t.TempDir(), durable.Disk{}).Backup(t.Context(), "1"); err != nil {
		t.Error(err)
	}
}

func TestInterruptedBackup(t *testing.T) {
	s := Open(Config{Hooks: &Hooks{Backup: sh("sleep 60"), Restore: sh("exit 0")}}, t.TempDir(), durable.Disk{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Backup(ctx, "1"); err == nil {
		t.Error("it is there")
	}
}

func TestRestoresThatFail(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "restored")
	s := Open(Config{Hooks: &Hooks{Backup: sh("echo saved >$SALLYPORT_BACKUP/x"), Restore: sh("echo >" + marker + "; exit 9")}}, t.TempDir(), durable.Disk{})
	if _, err := s.Backup(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	r := Restoration{ID: "1", For: "t"}
	expectError(t, s.Restore(t.Context(), r), "restore", "backup 1 of the data", "exited with status 9", "sallyport confirm")
	if err := os.Remove(marker); err != nil {
		t.Error("it was not run")
	}
	expectError(t, s.Restore(t.Context(), Restoration{ID: "2", For: "t"}), "restore", "there is no such backup")
	expectError(t, s.Restore(t.Context(), Restoration{ID: "../1", For: "t"}), "restore", "is not a name")
	copied := filepath.Join(s.dir, "1", dataName, "x")
	for name, spoil := range map[string]func() error{
		"changed":  func() error { return os.WriteFile(copied, []byte("other\n"), 0o600) },
		"short":    func() error { return os.Truncate(copied, 3) },
		"one more": func() error { return os.WriteFile(copied+"2", nil, 0o600) },
		"gone":     func() error { return os.Remove(copied) },
		"record":   func() error { return os.WriteFile(filepath.Join(s.dir, "1", recordName), []byte("{"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Backup(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			expectError(t, s.Restore(t.Context(), r), "restore")
			if _, err := os.Stat(marker); err == nil {
				t.Error("a damaged backup was restored")
			}
		})
	}
}

func TestDropKeepsTheNewest(t *testing.T) {
	s := Open(Config{Hooks: &Hooks{Backup: sh("echo x >$SALLYPORT_BACKUP/x"), Restore: sh("exit 0")}, Keep: 2}, t.TempDir(), durable.Disk{})
	now := time.Now()
	for i := range 5 {
		s.now = func() time.Time { return now.Add(time.Duration(i) * time.Hour) }
		if _, err := s.Backup(t.Context(), strconv.Itoa(9-i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Drop("8"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(left(t, s), " "); got != "5 6 8" {
		t.Errorf("kept %s, want the two newest and the one that is needed", got)
	}
	all, err := s.List()
	if err != nil || len(all) != 3 || all[0].ID != "8" || all[2].ID != "5" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestNoData(t *testing.T) {
	if Open(Config{}, t.TempDir(), durable.Disk{}) != nil {
		t.Error("there is a store for no data")
	}
}

// Whatever disk operation fails or is the last one before the power goes: an earlier backup of the name is whole or the new one
// is, and what is done again succeeds.
func TestBackupIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	cfg := Config{Hooks: &Hooks{Backup: sh("cp " + data + " $SALLYPORT_BACKUP/x"), Restore: sh("cp $SALLYPORT_BACKUP/x " + data + ".restored")}}
	points := 0
	quick := (&durabletest.Faults{At: -1}).Disk() // which waits for no flush
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			dir := filepath.Join(t.TempDir(), "backups")
			mustWrite(t, data, "first")
			if _, err := Open(cfg, dir, quick).Backup(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, data, "second")
			faults := &durabletest.Faults{At: at, Mode: mode}
			_, err := Open(cfg, dir, faults.Disk()).Backup(t.Context(), "1")
			if faults.Fell() == (err == nil) && mode != durabletest.CrashAfterPersist {
				t.Fatalf("%s: error %v", faults, err)
			}
			s := Open(cfg, dir, quick)
			rec, err := s.read("1")
			if err != nil || s.verify(t.Context(), rec) != nil {
				t.Fatalf("%s: the backup is not whole: %v", faults, err)
			}
			if _, err := s.Backup(t.Context(), "1"); err != nil {
				t.Fatalf("%s: again: %v", faults, err)
			}
			if err := s.Restore(t.Context(), Restoration{ID: "1", For: "t"}); err != nil || mustRead(t, data+".restored") != "second" {
				t.Fatalf("%s: restore: %v", faults, err)
			}
			if names := left(t, s); len(names) != 1 {
				t.Fatalf("%s: left %q", faults, names)
			}
			if !faults.Fell() {
				break
			}
			points++
		}
	}
	if points < 20 {
		t.Errorf("only %d points were tried", points)
	}
}

// owned sets owner and mode of a file, of another user where the test may.
func owned(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 12345, 23456); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// facts are owner and mode of a file.
func facts(t *testing.T, path string) (uid, gid uint32, mode os.FileMode) {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	sys := st.Sys().(*syscall.Stat_t)
	return sys.Uid, sys.Gid, st.Mode()
}
