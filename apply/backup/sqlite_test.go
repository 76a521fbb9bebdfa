package backup

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sqlite asks a database by SQLite's own program.
func sqlite(t *testing.T, path, sql string) string {
	t.Helper()
	out, err := exec.Command("sqlite3", "-batch", "-init", "/dev/null", path, sql).CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3 %s: %v: %s", sql, err, out)
	}
	return strings.TrimSpace(string(out))
}

func needSQLite(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("sqlite3 is not installed (make test installs it)")
	}
}

// dbWriter is a process that has a database open and goes on writing to it: a row in two tables in each transaction.
type dbWriter struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	stop atomic.Bool
	done chan struct{}
}

func startWriter(t *testing.T, path, mode string) *dbWriter {
	t.Helper()
	sqlite(t, path, "PRAGMA journal_mode="+mode+"; CREATE TABLE IF NOT EXISTS a(i INTEGER, fill TEXT); CREATE TABLE IF NOT EXISTS b(i INTEGER, fill TEXT);")
	w := &dbWriter{cmd: exec.Command("sqlite3", "-batch", "-init", "/dev/null", path), done: make(chan struct{})}
	w.cmd.Stderr = os.Stderr
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w.in, ".timeout 20000\nPRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=8;\n")
	go func() {
		defer close(w.done)
		for i := 0; !w.stop.Load(); i++ {
			// Old rows are rewritten, too, so that pages everywhere in the file change.
			_, err := fmt.Fprintf(w.in, "BEGIN IMMEDIATE; INSERT INTO a VALUES(%d, hex(randomblob(2000))); UPDATE a SET fill=hex(randomblob(2000)) WHERE i=%d; "+
				"INSERT INTO b VALUES(%d, hex(randomblob(500))); COMMIT;\n", i, i/2, i)
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(w.kill)
	return w
}

// kill ends the process as a power cut would.
func (w *dbWriter) kill() {
	w.stop.Store(true)
	_ = w.cmd.Process.Kill()
	_ = w.in.Close()
	<-w.done
	_ = w.cmd.Wait()
}

// A database is copied whole while others write to it, by SQLite's own judgement, in each of its two modes.
func TestCopyOfALiveDatabase(t *testing.T) {
	needSQLite(t)
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			w := startWriter(t, path, mode)
			rows, logs := 0, 0
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
				dir := t.TempDir()
				if _, err := copyTree(t.Context(), filepath.Dir(path), filepath.Join(dir, "db")); err != nil {
					t.Fatal(err)
				}
				copied := filepath.Join(dir, "db/state.db")
				if st, err := os.Stat(copied + "-wal"); err == nil && st.Size() > 0 {
					logs++
				}
				if _, err := os.Stat(copied + "-shm"); err == nil {
					t.Fatal("the log's index was copied")
				}
				said := sqlite(t, copied, "PRAGMA integrity_check; SELECT (SELECT count(*) FROM a) = (SELECT count(*) FROM b); SELECT count(*) FROM a;")
				lines := strings.Fields(said)
				if len(lines) != 3 || lines[0] != "ok" || lines[1] != "1" {
					t.Fatalf("the copy is not whole: %s", said)
				}
				n, err := strconv.Atoi(lines[2])
				if err != nil || n < rows {
					t.Fatalf("the copy has %s rows, and the one before had %d", lines[2], rows)
				}
				rows = n
			}
			if rows < 20 || mode == "WAL" && logs == 0 {
				t.Errorf("the writer was held up: %d rows, %d copies with a log", rows, logs)
			}
			select {
			case <-w.done:
				t.Error("the writer has ended")
			default:
			}
		})
	}
}

// A copy that is made without the locks is not whole: what the test above rests on.
func TestCopyWithoutLocksIsNotWhole(t *testing.T) {
	needSQLite(t)
	path := filepath.Join(t.TempDir(), "state.db")
	startWriter(t, path, "WAL")
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		copied := filepath.Join(t.TempDir(), "state.db")
		if copyFile(t.Context(), path+"-wal", copied+"-wal") != nil {
			continue
		}
		time.Sleep(20 * time.Millisecond)
		if copyFile(t.Context(), path, copied) != nil {
			continue
		}
		out, err := exec.Command("sqlite3", "-batch", "-init", "/dev/null", copied, "PRAGMA integrity_check; SELECT (SELECT count(*) FROM a) = (SELECT count(*) FROM b);").CombinedOutput()
		if lines := strings.Fields(string(out)); err != nil || len(lines) != 2 || lines[0] != "ok" || lines[1] != "1" {
			return
		}
	}
	t.Error("copies were whole all the same: the test cannot fail")
}

// Who keeps a database for himself is told, in time.
func TestLockedDatabase(t *testing.T) {
	needSQLite(t)
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	sqlite(t, path, "CREATE TABLE a(i)")
	cmd := exec.Command("sqlite3", "-batch", "-init", "/dev/null", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	fmt.Fprintln(in, "BEGIN EXCLUSIVE;")
	for f, err := os.Open(path); ; {
		if err != nil {
			t.Fatal(err)
		}
		l := unix.Flock_t{Type: unix.F_RDLCK, Start: sharedFirst, Len: sharedSize}
		if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &l); err != nil || l.Type != unix.F_UNLCK {
			f.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, err = copyTree(t.Context(), filepath.Dir(path), filepath.Join(t.TempDir(), "db"))
	if err == nil || !strings.Contains(err.Error(), "locked by a process that does not let go") {
		t.Errorf("got %v", err)
	}
}

func TestDamagedDatabase(t *testing.T) {
	needSQLite(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "state.db")
	sqlite(t, path, "CREATE TABLE a(i, fill); CREATE INDEX x ON a(i); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<500) INSERT INTO a SELECT i, hex(randomblob(100)) FROM c;")
	if err := checkDatabases(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	whole := mustRead(t, path)
	for name, spoil := range map[string]func() []byte{
		"cut in a page":   func() []byte { return []byte(whole[:5000]) },
		"a page of zeros": func() []byte { return []byte(whole[:8192] + strings.Repeat("\x00", 4096) + whole[12288:]) },
		"only its magic":  func() []byte { return []byte(sqliteMagic) },
	} {
		if err := os.WriteFile(path, spoil(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkDatabases(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "state.db is ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
