package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// standIn is a folder laid out as that of k3s, with a real database and, while it "runs", a real process that writes to it.
type standIn struct {
	dir     string
	cfg     Config
	calls   []string
	writer  *dbWriter
	writing bool // whether a service that is started writes
	t       *testing.T
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	k := &standIn{dir: filepath.Join(t.TempDir(), "k3s"), t: t}
	server := filepath.Join(k.dir, "server")
	mustWrite(t, filepath.Join(server, "token"), "K10::server:secret\n")
	mustWrite(t, filepath.Join(server, "cred/passwd"), "secret,node:pad\n")
	mustWrite(t, filepath.Join(server, "tls/server-ca.key"), "key\n")
	mustWrite(t, filepath.Join(server, "tls/etcd/peer-ca.key"), "key\n")
	// What is no file is left out, and opened by nobody.
	if err := errors.Join(os.MkdirAll(filepath.Join(server, "db"), 0o700), syscall.Mkfifo(filepath.Join(server, "db/pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(server, "db/pipe-wal"), "no log")
	mustWrite(t, k.password(), "pass\n")
	if err := errors.Join(os.Symlink("server-ca.key", filepath.Join(server, "tls/link")), os.MkdirAll(filepath.Join(server, "db"), 0o700)); err != nil {
		t.Fatal(err)
	}
	owned(t, filepath.Join(server, "token"), 0o640)
	owned(t, filepath.Join(server, "tls/server-ca.key"), 0o600)
	owned(t, filepath.Join(server, "tls"), 0o750)
	k.cfg = Config{K3s: &K3s{DataDir: k.dir, Password: k.password()}, Manage: k.manage}
	return k
}

func (k *standIn) password() string { return filepath.Join(k.dir, "../etc/rancher/node/password") }
func (k *standIn) db() string       { return filepath.Join(k.dir, "server/db/state.db") }

func (k *standIn) manage(_ context.Context, verb, service string) error {
	k.calls = append(k.calls, verb+" "+service)
	switch {
	case !k.writing:
	case verb == "stop":
		k.writer.kill()
	default:
		k.writer = startWriter(k.t, k.db(), "WAL")
	}
	return nil
}

// The write-ahead log of after must not stand beside the database of before (k0s#7941); and a datastore is of no use without
// the token that it is encrypted with (rke2#2410, k3s#13085).
func TestK3sSQLite(t *testing.T) {
	needSQLite(t)
	k := newStandIn(t)
	k.writing = true
	k.writer = startWriter(t, k.db(), "WAL")
	for !exists(k.db() + "-wal") {
		time.Sleep(time.Millisecond)
	}
	s := Open(k.cfg, t.TempDir(), durable.Disk{})
	info, err := s.Backup(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if info.Files < 5 || info.Bytes < 4096 || len(k.calls) > 0 {
		t.Errorf("got %+v; services were told to %q, and SQLite needs no stop", info, k.calls)
	}
	saved := filepath.Join(t.TempDir(), "db")
	if _, err := copyTree(t.Context(), filepath.Join(s.dir, "1/data/db"), saved); err != nil {
		t.Fatal(err)
	}
	want := sqlite(t, filepath.Join(saved, "state.db"), "SELECT count(*), max(i) FROM a")

	if moved, how := s.Moved(t.Context(), "1"); !moved || !strings.Contains(how, "the state of") {
		t.Errorf("while it is written to: %t, %s", moved, how)
	}
	server := filepath.Join(k.dir, "server")
	mustWrite(t, filepath.Join(server, "token"), "another\n")
	mustWrite(t, filepath.Join(server, "cred/new"), "new\n")
	mustWrite(t, filepath.Join(server, "agent-token"), "new\n")
	if err := errors.Join(os.RemoveAll(filepath.Join(server, "tls")), os.Remove(k.password())); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context(), Restoration{ID: "1", For: "t", Stopped: true}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(k.calls, []string{"stop k3s"}) {
		t.Errorf("services were told to %q", k.calls)
	}
	if got := sqlite(t, k.db(), "PRAGMA integrity_check; SELECT count(*), max(i) FROM a"); got != "ok\n"+want {
		t.Errorf("restored %q, want %q", got, want)
	}
	for name, want := range map[string]string{"token": "K10::server:secret\n", "cred/passwd": "secret,node:pad\n", "tls/link": "key\n", "tls/etcd/peer-ca.key": "key\n"} {
		if got := mustRead(t, filepath.Join(server, name)); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if mustRead(t, k.password()) != "pass\n" || exists(filepath.Join(server, "agent-token")) || exists(filepath.Join(server, "cred/new")) {
		t.Error("what was not there is there, or the other way round")
	}
	for name, mode := range map[string]os.FileMode{"token": 0o640, "tls/server-ca.key": 0o600, "tls": 0o750 | os.ModeDir} {
		uid, gid, got := facts(t, filepath.Join(server, name))
		if got != mode || os.Geteuid() == 0 && (uid != 12345 || gid != 23456) {
			t.Errorf("%s belongs to %d:%d and has mode %s", name, uid, gid, got)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// A restore may be cut at any instant: begun again it gives all of the state of then.
func TestRestoreIsBegunAgain(t *testing.T) {
	needSQLite(t)
	t.Parallel()
	points := 0
	quick := (&durabletest.Faults{At: -1}).Disk() // which waits for no flush
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			k := newStandIn(t)
			sqlite(t, k.db(), "PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL; CREATE TABLE a(i); INSERT INTO a VALUES('before');")
			dir := filepath.Join(t.TempDir(), "backups")
			if _, err := Open(k.cfg, dir, quick).Backup(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
			sqlite(t, k.db(), "PRAGMA synchronous=OFF; UPDATE a SET i='after'")
			mustWrite(t, k.db()+"-wal", "of later")
			mustWrite(t, filepath.Join(k.dir, "server/token"), "another\n")
			faults := &durabletest.Faults{At: at, Mode: mode}
			r := Restoration{ID: "1", For: "t"}
			if err := Open(k.cfg, dir, faults.Disk()).Restore(t.Context(), r); err == nil && faults.Fell() && mode != durabletest.CrashAfterPersist {
				t.Fatalf("%s: no error", faults)
			}
			if err := Open(k.cfg, dir, quick).Restore(t.Context(), r); err != nil {
				t.Fatalf("%s: again: %v", faults, err)
			}
			if got := sqlite(t, k.db(), "PRAGMA integrity_check; SELECT i FROM a"); got != "ok\nbefore" || mustRead(t, filepath.Join(k.dir, "server/token")) != "K10::server:secret\n" {
				t.Fatalf("%s: restored %q", faults, got)
			}
			if !faults.Fell() {
				break
			}
			points++
		}
	}
	t.Logf("%d points", points)
	if points < 60 {
		t.Errorf("only %d points were tried", points)
	}
}

// A folder that is a file system of its own cannot be replaced: what is in it is.
func TestPutInside(t *testing.T) {
	from, to, copied := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to"), filepath.Join(t.TempDir(), "copied")
	mustWrite(t, filepath.Join(from, "state"), "before")
	mustWrite(t, filepath.Join(from, "sub/a"), "before")
	entries, err := copyTree(t.Context(), from, copied)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(to, "state"), "after")
	mustWrite(t, filepath.Join(to, "state-wal"), "after")
	mustWrite(t, filepath.Join(to, "lost+found/x"), "the file system's")
	for range 2 {
		if err := putInside(t.Context(), durable.Disk{}, copied, to, entries); err != nil {
			t.Fatal(err)
		}
		if mustRead(t, filepath.Join(to, "state")) != "before" || mustRead(t, filepath.Join(to, "sub/a")) != "before" || !exists(filepath.Join(to, "lost+found/x")) {
			t.Error("it is not restored")
		}
		if names, err := os.ReadDir(to); err != nil || len(names) != 3 {
			t.Errorf("it holds %v, %v", names, err)
		}
	}
	if isMount(to) || !isMount("/proc") {
		t.Error("a file system's root is not told from a folder")
	}
}

// What is recorded of a backup must not lead out of what is restored.
func TestRecordThatLeadsOut(t *testing.T) {
	for _, e := range []entry{{Path: "../x"}, {Path: "/etc/passwd"}, {Path: "a/../../x"}, {Path: "x", Mode: os.ModeDevice}} {
		if err := putBack(t.Context(), durable.Disk{}, t.TempDir(), filepath.Join(t.TempDir(), "to"), []entry{e}); err == nil || !strings.Contains(err.Error(), "record is damaged") {
			t.Errorf("%+v: got %v", e, err)
		}
	}
}

func TestK3sIsNotThere(t *testing.T) {
	s := Open(Config{K3s: &K3s{DataDir: filepath.Join(t.TempDir(), "missing")}}, t.TempDir(), durable.Disk{})
	_, err := s.Backup(t.Context(), "1")
	expectError(t, err, "backup", "there is no ", "missing/server/db", "correct spec.data")
}

// What was stopped for a backup is started again, whatever came of it.
func TestServicesAreStartedAgain(t *testing.T) {
	k := newStandIn(t)
	mustWrite(t, filepath.Join(k.dir, "server/db/etcd/member/snap/db"), "no bbolt")
	_, err := Open(k.cfg, t.TempDir(), durable.Disk{}).Backup(t.Context(), "1")
	expectError(t, err, "backup", "the file of etcd is not as bbolt writes it")
	if !slices.Equal(k.calls, []string{"stop k3s", "start k3s"}) {
		t.Errorf("services were told to %q", k.calls)
	}
	k.cfg.Manage = func(_ context.Context, verb, _ string) error { return errors.New("unit is masked") }
	_, err = Open(k.cfg, t.TempDir(), durable.Disk{}).Backup(t.Context(), "1")
	expectError(t, err, "backup", "service k3s could not be told to stop: unit is masked")
}

func TestMicroK8s(t *testing.T) {
	dir := t.TempDir()
	backend := filepath.Join(dir, "var/kubernetes/backend")
	mustWrite(t, filepath.Join(backend, "cluster.yaml"), "- Address: 127.0.0.1:19001\n  ID: 3297041220608546238\n  Role: 0\n")
	mustWrite(t, filepath.Join(backend, "0000000000000001-0000000000000100"), "segment")
	mustWrite(t, filepath.Join(dir, "credentials/client.config"), "admin")
	var calls []string
	cfg := Config{MicroK8s: &MicroK8s{DataDir: dir}, Manage: func(_ context.Context, verb, service string) error {
		calls = append(calls, verb+" "+service)
		return nil
	}}
	s := Open(cfg, t.TempDir(), durable.Disk{})
	if _, err := s.Backup(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(backend, "0000000000000101-0000000000000200"), "later")
	if err := s.Restore(t.Context(), Restoration{ID: "1", For: "t"}); err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Join(backend, "0000000000000101-0000000000000200")) || mustRead(t, filepath.Join(backend, "0000000000000001-0000000000000100")) != "segment" {
		t.Error("a segment of later is there, or one of before is not")
	}
	const stop, start = "stop snap.microk8s.daemon-kubelite,stop snap.microk8s.daemon-k8s-dqlite", "start snap.microk8s.daemon-k8s-dqlite,start snap.microk8s.daemon-kubelite"
	if got := strings.Join(calls, ","); got != strings.Join([]string{stop, start, stop, start}, ",") {
		t.Errorf("services were told to %s", got)
	}
	mustWrite(t, filepath.Join(backend, "cluster.yaml"), "- Address: 10.0.0.1:19001\n  ID: 1\n- Address: 10.0.0.2:19001\n  ID: 2\n")
	_, err := s.Backup(t.Context(), "2")
	expectError(t, err, "backup", "dqlite has 2 members", "spec.data.restore")
}
