package backup

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// realEtcd is Debian's etcd with Debian's etcdctl.
type realEtcd struct {
	t            *testing.T
	dir          string
	client, peer string
	cmd          *exec.Cmd
	calls        []string
}

func startEtcd(t *testing.T) *realEtcd {
	t.Helper()
	for _, program := range []string{"etcd", "etcdctl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (make test installs it)", program)
		}
	}
	e := &realEtcd{t: t, dir: filepath.Join(t.TempDir(), "etcd"), client: freeURL(t), peer: freeURL(t)}
	e.start()
	t.Cleanup(e.kill)
	return e
}

func freeURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func (e *realEtcd) start() {
	e.t.Helper()
	e.cmd = exec.Command("etcd", "--name=till", "--data-dir="+e.dir, "--unsafe-no-fsync", "--listen-client-urls="+e.client, "--advertise-client-urls="+e.client,
		"--listen-peer-urls="+e.peer, "--initial-advertise-peer-urls="+e.peer, "--initial-cluster=till="+e.peer)
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); e.tryCtl("get", "x") != nil; {
		if time.Now().After(end) {
			e.t.Fatal("etcd does not answer")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (e *realEtcd) kill() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}

func (e *realEtcd) manage(_ context.Context, verb, service string) error {
	e.calls = append(e.calls, verb+" "+service)
	if verb == "stop" {
		e.kill()
	} else {
		e.start()
	}
	return nil
}

func (e *realEtcd) tryCtl(args ...string) error {
	cmd := exec.Command("etcdctl", args...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+e.client)
	return cmd.Run()
}

func (e *realEtcd) ctl(args ...string) string {
	e.t.Helper()
	cmd := exec.Command("etcdctl", args...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+e.client)
	out, err := cmd.CombinedOutput()
	if err != nil {
		e.t.Fatalf("etcdctl %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// A snapshot comes back as the state of then; and data that have moved on since are told by etcd's own revision and version
// (kubernetes#54027, k8s-snap#2795).
func TestEtcd(t *testing.T) {
	t.Parallel()
	e := startEtcd(t)
	for i := range 20 {
		e.ctl("put", fmt.Sprint("key", i), "before")
	}
	s := Open(Config{Etcd: &Etcd{Endpoint: e.client, DataDir: e.dir, Services: []string{"etcd"}}, Manage: e.manage}, t.TempDir(), durable.Disk{})
	info, err := s.Backup(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(info.Version, "revision 21 of etcd 3.") || info.Files != 1 || len(e.calls) > 0 {
		t.Errorf("got %+v, and services were told to %q", info, e.calls)
	}
	if moved, how := s.Moved(t.Context(), "1"); moved {
		t.Errorf("nothing was written, and it says: %s", how)
	}
	e.ctl("put", "key0", "after")
	e.ctl("put", "new", "after")
	if moved, how := s.Moved(t.Context(), "1"); !moved || !strings.Contains(how, "and are at revision 23 of etcd") {
		t.Errorf("moved: %t, %s", moved, how)
	}
	owned(t, e.dir, 0o700)
	if err := s.Restore(t.Context(), Restoration{ID: "1", For: "t"}); err != nil {
		t.Fatal(err)
	}
	if got := e.ctl("get", "", "--from-key", "--keys-only"); strings.Contains(got, "new") || strings.Count(got, "key") != 20 {
		t.Errorf("restored the keys %q", got)
	}
	if got := e.ctl("get", "key0", "--print-value-only"); got != "before" {
		t.Errorf("key0 is %q", got)
	}
	uid, gid, mode := facts(t, filepath.Join(e.dir, "member/snap"))
	if mode != 0o700|os.ModeDir || os.Geteuid() == 0 && (uid != 12345 || gid != 23456) {
		t.Errorf("the folder is of %d:%d, with mode %s", uid, gid, mode)
	}
	if got := strings.Join(e.calls, ","); got != "stop etcd,start etcd" {
		t.Errorf("services were told to %s", got)
	}
	e.ctl("member", "add", "second", "--peer-urls=http://127.0.0.1:1")
	_, err = s.Backup(t.Context(), "2")
	expectError(t, err, "backup", "2 members, and one of them cannot be set back alone")
}

// The members are read from etcd's own file, too, where there is no etcd to ask: k3s has been stopped then.
func TestMembersInTheFileOfEtcd(t *testing.T) {
	t.Parallel()
	e := startEtcd(t)
	path := filepath.Join(e.dir, "member/snap/db")
	e.ctl("put", "key", "value")
	e.kill()
	if n, err := etcdMembers(path); err != nil || n != 1 {
		t.Fatalf("%d members, %v", n, err)
	}
	k := newStandIn(t)
	dir := filepath.Join(k.dir, "server/db/etcd")
	if _, err := copyTree(t.Context(), e.dir, dir); err != nil {
		t.Fatal(err)
	}
	s := Open(k.cfg, t.TempDir(), durable.Disk{})
	if _, err := s.Backup(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(k.calls, ","); got != "stop k3s,start k3s" {
		t.Errorf("services were told to %s", got)
	}
	mustWrite(t, filepath.Join(dir, "member/wal/later.wal"), "later")
	if err := s.Restore(t.Context(), Restoration{ID: "1", For: "t"}); err != nil {
		t.Fatal(err)
	}
	// What came back is what an etcd runs on.
	if err := os.RemoveAll(e.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := copyTree(t.Context(), dir, e.dir); err != nil {
		t.Fatal(err)
	}
	e.start()
	if got := e.ctl("get", "key", "--print-value-only"); got != "value" {
		t.Errorf("key is %q", got)
	}
	e.ctl("member", "add", "second", "--peer-urls=http://127.0.0.1:1")
	time.Sleep(500 * time.Millisecond) // etcd writes its file ten times a second
	e.kill()
	if n, err := etcdMembers(path); err != nil || n != 2 {
		t.Errorf("%d members after one was added, %v", n, err)
	}
}

func TestEtcdIsAway(t *testing.T) {
	if _, err := exec.LookPath("etcdctl"); err != nil {
		t.Skip("etcdctl is not installed (make test installs it)")
	}
	s := Open(Config{Etcd: &Etcd{Endpoint: freeURL(t), DataDir: t.TempDir()}, Timeout: 2 * time.Second}, t.TempDir(), durable.Disk{})
	began := time.Now()
	_, err := s.Backup(t.Context(), "1")
	expectError(t, err, "backup", "etcdctl")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}
