package backup

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// K3s is k3s with one server and its own datastore, SQLite or embedded etcd; RKE2 is laid out alike.
type K3s struct {
	// DataDir is its folder; empty is DefaultK3sDir.
	DataDir string
	// Service is the name of its service; empty is DefaultK3sService.
	Service string
	// Password is the file by which the node is known to the datastore, and lies outside DataDir; empty is DefaultK3sPassword.
	Password string
}

// Where k3s is unless said otherwise.
const (
	DefaultK3sDir      = "/var/lib/rancher/k3s"
	DefaultK3sService  = "k3s"
	DefaultK3sPassword = "/etc/rancher/node/password"
)

// source names what a datastore is of no use without, too: it is encrypted by the token, and node passwords, certificates and
// keys are in both.
func (k *K3s) source(manage func(context.Context, string, string) error, disk durable.Disk) source {
	dir, service, password := cmp.Or(k.DataDir, DefaultK3sDir), cmp.Or(k.Service, DefaultK3sService), cmp.Or(k.Password, DefaultK3sPassword)
	server := filepath.Join(dir, "server")
	items := []item{{name: "db", path: filepath.Join(server, "db")}}
	for _, name := range []string{"token", "agent-token", "cred", "tls"} {
		items = append(items, item{name: name, path: filepath.Join(server, name), optional: true})
	}
	return &files{
		items:    append(items, item{name: "node-password", path: password, optional: true}),
		services: services{[]string{service}, manage},
		cold:     isFolder(filepath.Join(server, "db", "etcd")),
		fits:     func(copied string) error { return oneMember(filepath.Join(copied, "db", "etcd")) },
		disk:     disk,
	}
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// oneMember refuses the data folder of an etcd that has others beside it: one of them cannot be set back alone.
func oneMember(dir string) error {
	n, err := etcdMembers(filepath.Join(dir, "member", "snap", "db"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case n > 1:
		return severalMembers("etcd", n)
	}
	return nil
}

func severalMembers(what string, n int) error {
	return faultf("name commands that save and restore all of them: spec.data.backup and spec.data.restore in site.yaml",
		"%s has %d members, and one of them cannot be set back alone", what, n)
}
