package testcluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const (
	startTimeout = 2 * time.Minute // a loaded machine, not a slow server
	token        = "administrator"
)

// Cluster is a running API server.
type Cluster struct {
	Server     string // its URL, https://127.0.0.1:PORT
	Kubeconfig string // path of a file with an administrator's rights
	dir        string
	api        *process
	apiArgs    []string
}

// Start runs etcd and an API server until the test is over. Namespace default exists when it returns.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c, err := start(t, t.TempDir())
	if err != nil {
		t.Fatalf("test cluster: %v", err)
	}
	return c
}

// Run starts etcd and an API server with further arguments, and keeps their files in dir: for programs that are no tests.
// The function that it returns ends them.
func Run(dir string, apiArgs ...string) (*Cluster, func(), error) {
	s := &suite{}
	c, err := start(s, dir, apiArgs...)
	if err != nil {
		s.end()
		return nil, nil, fmt.Errorf("test cluster: %w", err)
	}
	return c, s.end, nil
}

// lifetime is how long servers live: a test, or all tests of a package.
type lifetime interface{ Cleanup(func()) }

func start(t lifetime, dir string, apiArgs ...string) (*Cluster, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, Server: "https://127.0.0.1:" + strconv.Itoa(ports[2])}
	if err := c.startEtcd(t, ports[0], ports[1]); err != nil {
		return nil, err
	}
	if err := c.writeFiles(); err != nil {
		return nil, err
	}
	c.apiArgs = []string{
		"--etcd-servers=http://127.0.0.1:" + strconv.Itoa(ports[0]),
		"--feature-gates=WatchList=false", // etcd 3.4 cannot tell progress, without which watches fail
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.path("sa.key"),
		"--service-account-signing-key-file=" + c.path("sa.key"),
		"--cert-dir=" + c.path("certs"),
		"--secure-port=" + strconv.Itoa(ports[2]),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		"--token-auth-file=" + c.path("tokens.csv"),
		"--authorization-mode=RBAC",
		"--disable-admission-plugins=ServiceAccount", // no controller makes the accounts that it waits for
		"--service-cluster-ip-range=10.0.0.0/24",
	}
	c.apiArgs = append(c.apiArgs, apiArgs...)
	return c, c.StartAPI(t)
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) startEtcd(t lifetime, client, peer int) error {
	path, err := etcd()
	if err != nil {
		return err
	}
	listen, peers := "http://127.0.0.1:"+strconv.Itoa(client), "http://127.0.0.1:"+strconv.Itoa(peer)
	p, err := startProcess(t, c.path("etcd.log"), path, "--data-dir="+c.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+listen, "--advertise-client-urls="+listen,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	if err != nil {
		return err
	}
	return p.waitFor(http.DefaultClient, listen+"/health")
}

// writeFiles makes the key for service accounts, the administrator's token and the kubeconfig.
func (c *Cluster) writeFiles() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	kubeconfig, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": []any{map[string]any{"name": "test", "cluster": map[string]any{
			"server": c.Server, "insecure-skip-tls-verify": true}}},
		"users":    []any{map[string]any{"name": "admin", "user": map[string]any{"token": token}}},
		"contexts": []any{map[string]any{"name": "test", "context": map[string]any{"cluster": "test", "user": "admin"}}},
	})
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"sa.key":     pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		"tokens.csv": []byte(token + `,admin,admin,"system:masters"` + "\n"),
		"kubeconfig": kubeconfig,
	}
	for name, data := range files {
		if err := os.WriteFile(c.path(name), data, 0o600); err != nil {
			return err
		}
	}
	c.Kubeconfig = c.path("kubeconfig")
	return nil
}

// StartAPI starts the API server again, on the same port and data, after StopAPI.
func (c *Cluster) StartAPI(t lifetime) error {
	path, err := Bin("kube-apiserver")
	if err != nil {
		return err
	}
	if c.api, err = startProcess(t, c.path("apiserver.log"), path, c.apiArgs...); err != nil {
		return err
	}
	client := &http.Client{Transport: &authorised{&http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // self-signed, made a moment ago
	}}}
	if err := c.api.waitFor(client, c.Server+"/readyz"); err != nil {
		return err
	}
	return c.api.waitFor(client, c.Server+"/api/v1/namespaces/default")
}

// StopAPI kills the API server; its data stay.
func (c *Cluster) StopAPI() { c.api.stop() }

// authorised sends the administrator's token.
type authorised struct{ http.RoundTripper }

func (a *authorised) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	authorise(r)
	return a.RoundTripper.RoundTrip(r)
}

func authorise(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }

// Authorise makes the request an administrator's.
func (*Cluster) Authorise(r *http.Request) { authorise(r) }

// waitFor asks until the answer is 200 or the process has ended.
func (p *process) waitFor(client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if get(ctx, client, url) == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %s", p.name, p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready in %s: %s", p.name, startTimeout, p.logTail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
