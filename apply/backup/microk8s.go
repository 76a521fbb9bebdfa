package backup

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// MicroK8s is MicroK8s on one machine, with dqlite.
type MicroK8s struct {
	// DataDir is the snap's folder; empty is DefaultMicroK8sDir.
	DataDir string
}

// DefaultMicroK8sDir is the folder of the snap's revision that runs.
const DefaultMicroK8sDir = "/var/snap/microk8s/current"

// The two services that have the datastore open, the one that asks first. Pods go on without them.
var microK8sServices = []string{"snap.microk8s.daemon-kubelite", "snap.microk8s.daemon-k8s-dqlite"}

func (m *MicroK8s) source(manage func(context.Context, string, string) error, disk durable.Disk) source {
	dir := cmp.Or(m.DataDir, DefaultMicroK8sDir)
	return &files{
		items: []item{
			{name: "backend", path: filepath.Join(dir, "var/kubernetes/backend")},
			{name: "credentials", path: filepath.Join(dir, "credentials"), optional: true},
			{name: "certs", path: filepath.Join(dir, "certs"), optional: true},
		},
		services: services{microK8sServices, manage},
		cold:     true, // dqlite's log is written in place
		fits:     oneNode,
		disk:     disk,
	}
}

// oneNode refuses the dqlite of a cluster. Its members stand in cluster.yaml, each with an Address.
func oneNode(copied string) error {
	f, err := os.Open(filepath.Join(copied, "backend", "cluster.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return faultf("start MicroK8s, or correct spec.data in site.yaml", "the folder of dqlite has no cluster.yaml")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	n := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, _, ok := strings.Cut(lines.Text(), ":"); ok && strings.Trim(key, " -") == "Address" {
			n++
		}
	}
	if n > 1 {
		return severalMembers("dqlite", n)
	}
	return lines.Err()
}
