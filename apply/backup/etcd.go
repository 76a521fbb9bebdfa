package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/program"
)

// Etcd is an etcd of one member, saved and restored by its own tools: etcdctl, and etcdutl where there is one.
type Etcd struct {
	// Endpoint is where it answers; empty is DefaultEtcdEndpoint.
	Endpoint string
	// DataDir is its folder, which has the folder member.
	DataDir string
	// CA, Cert and Key are files in PEM format by which it is asked; empty for http.
	CA, Cert, Key string
	// Services are stopped before a restore, in this order, and started after it: etcd's own, and before it those that remember
	// what they have read from it.
	Services []string
}

// DefaultEtcdEndpoint is where etcd listens unless said otherwise.
const DefaultEtcdEndpoint = "http://127.0.0.1:2379"

const snapshotName = "snapshot.db"

type etcd struct {
	Etcd
	services services
	disk     durable.Disk
}

// member is what a restore has to know beside the snapshot.
type member struct {
	Name string   `json:"name"`
	Peer []string `json:"peerURLs"`
}

// ask runs etcdctl.
func (e *etcd) ask(ctx context.Context, args ...string) (string, error) {
	env := []string{"ETCDCTL_API=3", "ETCDCTL_ENDPOINTS=" + cmp.Or(e.Endpoint, DefaultEtcdEndpoint)}
	for name, value := range map[string]string{"CACERT": e.CA, "CERT": e.Cert, "KEY": e.Key} {
		if value != "" {
			env = append(env, "ETCDCTL_"+name+"="+value)
		}
	}
	return run(ctx, env, append([]string{"etcdctl"}, args...)...)
}

// offline runs the tool for files: etcdutl, which etcd has since 3.5, else etcdctl.
func offline(ctx context.Context, args ...string) (string, error) {
	tool := "etcdutl"
	if _, err := program.Find(tool); err != nil {
		tool = "etcdctl"
	}
	return run(ctx, []string{"ETCDCTL_API=3"}, append([]string{tool}, args...)...)
}

// state is what etcd tells of itself.
type state struct {
	Version  string `json:"version"`
	Size     int64  `json:"dbSize"`
	Revision int64  `json:"-"`
}

func (e *etcd) state(ctx context.Context) (state, error) {
	out, err := e.ask(ctx, "endpoint", "status", "--write-out=json")
	if err != nil {
		return state{}, err
	}
	var all []struct {
		Status struct {
			state
			Header struct {
				Revision int64 `json:"revision"`
			} `json:"header"`
		} `json:"Status"`
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		return state{}, fmt.Errorf("etcdctl endpoint status tells nothing of one endpoint: %s", firstLine(out))
	}
	s := all[0].Status.state
	s.Revision = all[0].Status.Header.Revision
	return s, nil
}

func (e *etcd) estimate(ctx context.Context) (int64, error) {
	s, err := e.state(ctx)
	return s.Size, err
}

func (e *etcd) version(ctx context.Context) (string, error) {
	s, err := e.state(ctx)
	return fmt.Sprintf("revision %d of etcd %s", s.Revision, s.Version), err
}

func (e *etcd) save(ctx context.Context, dir string) ([]byte, error) {
	m, err := e.onlyMember(ctx)
	if err != nil {
		return nil, err
	}
	if !isFolder(filepath.Join(e.DataDir, "member")) {
		return nil, faultf("correct spec.data.etcd.dataDir in site.yaml", "%s is no data folder of etcd: it has no folder member", e.DataDir)
	}
	path := filepath.Join(dir, snapshotName)
	if _, err := e.ask(ctx, "snapshot", "save", path); err != nil {
		return nil, err
	}
	if err := checkSnapshot(ctx, path); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

func (e *etcd) onlyMember(ctx context.Context) (member, error) {
	out, err := e.ask(ctx, "member", "list", "--write-out=json")
	if err != nil {
		return member{}, err
	}
	var list struct {
		Members []member `json:"members"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Members) == 0 {
		return member{}, fmt.Errorf("etcdctl member list tells no member: %s", firstLine(out))
	}
	if n := len(list.Members); n > 1 {
		return member{}, severalMembers("etcd", n)
	}
	return list.Members[0], nil
}

// checkSnapshot lets etcd's tool read a snapshot.
func checkSnapshot(ctx context.Context, path string) error {
	out, err := offline(ctx, "snapshot", "status", path, "--write-out=json")
	if err != nil {
		return err
	}
	var s struct {
		Revision int64 `json:"revision"`
		Keys     int64 `json:"totalKey"`
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.Revision == 0 {
		return fmt.Errorf("the snapshot of etcd is empty: %s", firstLine(out))
	}
	return nil
}

func (e *etcd) restore(ctx context.Context, dir string, note []byte, stopped bool) error {
	var m member
	if err := json.Unmarshal(note, &m); err != nil || m.Name == "" || len(m.Peer) == 0 {
		return fmt.Errorf("its record is damaged: it names no member of etcd")
	}
	path := filepath.Join(dir, snapshotName)
	if err := checkSnapshot(ctx, path); err != nil {
		return err
	}
	size, err := sizeOf(path)
	if err == nil {
		err = roomFor(e.DataDir, 2*size) // its log is beside it
	}
	if err == nil {
		err = e.services.stop(ctx)
	}
	if err == nil {
		err = e.disk.ReplaceDir(filepath.Join(e.DataDir, "member"), func(fresh string) error { return e.rebuild(ctx, path, fresh, m) })
	}
	if err != nil || stopped {
		return err
	}
	return e.services.start(ctx)
}

// rebuild makes the folder member of a snapshot, as that of the owner of etcd's folder.
func (e *etcd) rebuild(ctx context.Context, snapshot, fresh string, m member) error {
	data := filepath.Join(fresh, "data")
	initial := make([]string, 0, len(m.Peer))
	for _, url := range m.Peer {
		initial = append(initial, m.Name+"="+url)
	}
	_, err := offline(ctx, "snapshot", "restore", snapshot, "--data-dir="+data, "--name="+m.Name,
		"--initial-cluster="+strings.Join(initial, ","), "--initial-advertise-peer-urls="+strings.Join(m.Peer, ","))
	if err != nil {
		return err
	}
	made, err := os.ReadDir(filepath.Join(data, "member"))
	if err != nil {
		return err
	}
	for _, d := range made {
		if err := os.Rename(filepath.Join(data, "member", d.Name()), filepath.Join(fresh, d.Name())); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	return handOver(fresh, e.DataDir)
}
