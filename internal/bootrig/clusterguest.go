package bootrig

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/elf"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
	"github.com/sallyport-dev/sallyport/internal/testcluster"
)

// Cluster is a Kubernetes API for machines: etcd and kube-apiserver, which start with every image, and are on the data partition
// together with what they know. As in internal/testcluster there are no controllers and no nodes.
//
// Without hardware help the API server takes a minute or two to answer after a boot, ten on a host with much else to do. That is
// a machine that every site may have, only slower; what bounds the wait is the site's own configuration.
type Cluster struct {
	files map[string]string // of the host's, by their path below wire.ClusterFolder
	texts map[string]string
	etcd  []string // how the guest starts etcd
}

const (
	clusterMemory = 2048 // MiB
	// clusterTime is how long a trial or a rollback waits for the API, and what bounds a verb in a guest that has one.
	clusterTime = 20 * time.Minute
	// headlessDeadline is the site's deadline in seconds while Headless is tried, which starts no cluster.
	headlessDeadline = 75
	clusterReader    = wire.ClusterFolder + "/objects"
	clusterLogs      = "/var/lib/log"
)

// NewCluster finds and makes what a guest with an API needs.
func NewCluster(ctx context.Context, w *Workshop) (*Cluster, error) {
	c := &Cluster{files: map[string]string{"objects": filepath.Join(w.Dir, "objects")}, texts: map[string]string{
		"tokens.csv": wire.ClusterToken + `,admin,admin,"system:masters"` + "\n"}}
	if err := w.build(ctx, c.files["objects"], "./internal/bootrig/objects"); err != nil {
		return nil, err
	}
	var err error
	if c.files["kube-apiserver"], err = testcluster.Bin("kube-apiserver"); err != nil {
		return nil, err
	}
	if err := c.findEtcd(); err != nil {
		return nil, err
	}
	return c, c.identify()
}

// findEtcd takes the system's etcd, and the libraries that it is linked with, which a guest does not have.
func (c *Cluster) findEtcd() error {
	path, err := exec.LookPath("etcd")
	if err != nil {
		return fmt.Errorf("the boot rig needs etcd: run internal/testtools/setup boot: %w", err)
	}
	c.files["etcd"] = path
	c.etcd = []string{wire.ClusterFolder + "/etcd"}
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) == 0 {
		return err
	}
	const loader = "lib/ld.so"
	interpreter, err := readInterpreter(f)
	if err != nil {
		return err
	}
	c.files[loader] = interpreter
	for _, name := range libraries {
		if c.files["lib/"+name], err = findLibrary(name); err != nil {
			return err
		}
	}
	c.etcd = append([]string{wire.ClusterFolder + "/" + loader, "--library-path", wire.ClusterFolder + "/lib"}, c.etcd...)
	return nil
}

// readInterpreter is the program that loads a dynamic one.
func readInterpreter(f *elf.File) (string, error) {
	s := f.Section(".interp")
	if s == nil {
		return "", errors.New("etcd has libraries and names nothing to load them with")
	}
	b, err := s.Data()
	return strings.TrimRight(string(b), "\x00"), err
}

func findLibrary(name string) (string, error) {
	for _, dir := range []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("the library %s, which etcd needs, is in none of the usual places", name)
}

// identify makes a key and a certificate for the API server, and the kubeconfig that knows it by them.
func (c *Cluster) identify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rig"}, NotBefore: now.Add(-24 * time.Hour),
		NotAfter: now.Add(24 * 365 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.texts[filepath.Base(wire.ClusterCert)] = string(cert)
	c.texts["tls.key"] = string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
	c.texts["kubeconfig"] = fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: rig
clusters: [{name: rig, cluster: {server: "%s", certificate-authority-data: %s}}]
users: [{name: admin, user: {token: %s}}]
contexts: [{name: rig, context: {cluster: rig, user: admin}}]
`, wire.ClusterServer, base64.StdEncoding.EncodeToString(cert), wire.ClusterToken)
	return nil
}

// install lays everything into the tree of the data partition.
func (c *Cluster) install(tree string) error {
	if c == nil {
		return nil
	}
	folder := filepath.Join(tree, filepath.Base(wire.ClusterFolder))
	for path, file := range c.files {
		if err := copyFile(file, filepath.Join(folder, path)); err != nil {
			return err
		}
	}
	for path, text := range c.texts {
		if err := writeFile(filepath.Join(folder, path), text); err != nil {
			return err
		}
	}
	return nil
}

// programs are what every image starts.
func (c *Cluster) programs() []wire.Program {
	if c == nil {
		return nil
	}
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	in := func(name string) string { return wire.ClusterFolder + "/" + name }
	etcd := append(slices.Clone(c.etcd), "--data-dir="+in("data"), "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	api := []string{in("kube-apiserver"), "--etcd-servers=" + client,
		"--feature-gates=WatchList=false", // as in internal/testcluster
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + in("tls.key"), "--service-account-signing-key-file=" + in("tls.key"),
		"--tls-cert-file=" + wire.ClusterCert, "--tls-private-key-file=" + in("tls.key"), "--token-auth-file=" + in("tokens.csv"),
		"--secure-port=6443", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--authorization-mode=AlwaysAllow", // RBAC's own roles take a slow machine half a minute
		"--disable-admission-plugins=ServiceAccount", "--service-cluster-ip-range=10.0.0.0/24"}
	return []wire.Program{{Argv: etcd, Log: clusterLogs + "/etcd.log"}, {Argv: api, Log: clusterLogs + "/apiserver.log"}}
}

// hardware is what a machine with a cluster has of its own.
func (c *Cluster) hardware() []string {
	if c == nil {
		return nil
	}
	return []string{"-m", fmt.Sprint(clusterMemory), "-smp", "2"}
}

func (c *Cluster) dataMiB() int64 {
	if c == nil {
		return 96
	}
	return 768
}

// reader is the program that prints the version which the manifests bear.
func (c *Cluster) reader() string {
	if c == nil {
		return "/sbin/init"
	}
	return clusterReader
}

// target is what stands in site.yaml at spec.target.
func (c *Cluster) target() string {
	if c == nil {
		return fmt.Sprintf("{manifestsDir: {path: %s}}", manifestFile)
	}
	return fmt.Sprintf("{kubernetes: {kubeconfig: %s/kubeconfig, patience: %s}}", wire.ClusterFolder, clusterTime)
}

// deadline is what stands there at spec.slots.deadline.
func (c *Cluster) deadline() string {
	if c == nil {
		return "60s"
	}
	return (clusterTime + time.Minute).String()
}

// answers waits for the API of a machine that has one.
func answers(r *Running) error {
	if r.Cluster == nil {
		return nil
	}
	for begin := time.Now(); ; {
		a, err := r.Run(clusterReader)
		if err != nil {
			return err
		}
		if a.Exit == 0 {
			r.say("the API answers after %.0f s", time.Since(begin).Seconds())
			return nil
		}
		if time.Since(begin) > clusterTime {
			return fmt.Errorf("the API does not answer within %v: %s", clusterTime, a.Err)
		}
		time.Sleep(time.Second)
	}
}
