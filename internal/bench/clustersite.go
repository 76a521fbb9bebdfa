package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// clusterSite is a site whose target is the bench's API server.
type clusterSite struct {
	*clusterBench
	namespace string
	objects   int
	dir       string
	env       []string
}

func (c *clusterBench) namespace() string {
	c.names++
	return fmt.Sprintf("n%d", c.names)
}

// newSite makes a site with the bundles of all steps, and the namespace, which is not part of them.
func (c *clusterBench) newSite(ctx context.Context, objects int) (*clusterSite, error) {
	s := &clusterSite{clusterBench: c, namespace: c.namespace(), objects: objects}
	s.dir = filepath.Join(c.dir, s.namespace)
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return nil, err
	}
	s.env = []string{"COSIGN_PASSWORD=bench", "SALLYPORT_SITE=" + filepath.Join(s.dir, "site.yaml")}
	listen, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("apiVersion: sallyport.dev/v1\nkind: Site\nmetadata: {name: bench}\nspec:\n  state: %s\n  trust: %s\n  platform: linux/amd64\n  mirror: {dir: %s, listen: %q}\n  target:\n    kubernetes: {kubeconfig: %s}\n",
		filepath.Join(s.dir, "state"), filepath.Join(c.bench.dir, "release.pub"), filepath.Join(s.dir, "mirror"), listen, c.cluster.Kubeconfig)
	if err := os.WriteFile(filepath.Join(s.dir, "site.yaml"), []byte(text), 0o644); err != nil {
		return nil, err
	}
	for i := range clusterSteps {
		if err := s.build(ctx, i); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// build makes a step's bundle.
func (s *clusterSite) build(ctx context.Context, i int) error {
	version := fmt.Sprintf("%d.0.0", i+1)
	manifests := filepath.Join(s.dir, version)
	if err := os.Mkdir(manifests, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(manifests, "all.yaml"), clusterObjectsOf(s.namespace, s.objects, i), 0o644); err != nil {
		return err
	}
	names, _, err := s.images("old")
	if err != nil {
		return err
	}
	text := fmt.Sprintf("apiVersion: sallyport.dev/v1\nkind: Release\nmetadata: {name: %s}\nspec:\n  version: %s\n  sequence: %d\n  platforms: [linux/amd64]\n  images:\n    - {name: %q, source: %q}\n  manifests:\n    - path: %s\n",
		s.namespace, version, i+1, names[0], "oci:"+filepath.Join(s.pair.dir, "old"), manifests)
	file := filepath.Join(s.dir, version+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	_, _, err = process(ctx, s.dir, s.env, s.program, "build", "-f", file, "--key", filepath.Join(s.bench.dir, "release.key"),
		"--quiet", "-o", s.bundle(i))
	return err
}

func (s *clusterSite) bundle(i int) string { return filepath.Join(s.dir, fmt.Sprintf("%d.tar", i+1)) }

func (s *clusterSite) apply(ctx context.Context, i int) (cost, error) {
	c, _, err := process(ctx, s.dir, s.env, s.program, "apply", s.bundle(i), "--quiet")
	return c, err
}

// clusterObjectsOf are as many objects of common kinds, as a step has them.
func clusterObjectsOf(ns string, n, step int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", ns)
	for i := range n - 1 {
		value := min(step, 1)
		if step >= 2 && i == n/2 {
			value = 2
		}
		fmt.Fprintf(&b, clusterShapes[i%len(clusterShapes)], fmt.Sprintf("o%d", i), ns, value)
	}
	return b.Bytes()
}

// clusterShapes take a name, a namespace and a value that changes.
var clusterShapes = []string{
	"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %[1]s, namespace: %[2]s}\ndata: {value: \"%[3]d\", page: \"" + strings.Repeat("some settings ", 40) + "\"}\n",
	"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %[1]s, namespace: %[2]s, annotations: {value: \"%[3]d\"}}\n",
	"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %[1]s, namespace: %[2]s}\ndata: {value: \"%[3]d\"}\n",
	"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %[1]s, namespace: %[2]s, annotations: {value: \"%[3]d\"}}\nrules: [{apiGroups: [\"\"], resources: [pods], verbs: [get, list, watch]}]\n",
	"---\napiVersion: v1\nkind: Secret\nmetadata: {name: %[1]s, namespace: %[2]s}\nstringData: {value: \"v%[3]d\"}\n",
	"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: %[1]s, namespace: %[2]s, annotations: {value: \"%[3]d\"}}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\nsubjects: [{kind: ServiceAccount, name: s, namespace: %[2]s}]\n",
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: %[1]s, namespace: %[2]s, annotations: {value: \"%[3]d\"}}\nspec: {clusterIP: None, selector: {app: %[1]s}, ports: [{port: 80, name: http}]}\n",
	"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]s, namespace: %[2]s}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: %[1]s}}\n  template:\n    metadata: {labels: {app: %[1]s}, annotations: {value: \"%[3]d\"}}\n    spec:\n      containers:\n        - name: app\n          image: registry.example.com/server:1.0.0\n          env: [{name: A, value: b}]\n          ports: [{containerPort: 80, name: http}]\n          resources: {limits: {memory: 64Mi}, requests: {cpu: 10m}}\n          readinessProbe: {httpGet: {path: /, port: http}}\n",
}

// requests counts what sallyport has asked of the server so far.
func (c *clusterBench) requests() (int, error) {
	f, err := os.Open(c.audit)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n := 0
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if bytes.Contains(line, []byte(`"userAgent":"sallyport"`)) && bytes.Contains(line, []byte(`"stage":"ResponseComplete"`)) {
			n++
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// makeSecrets fills a namespace with Secrets of somebody else.
func (c *clusterBench) makeSecrets(ctx context.Context, ns string) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 4}}
	if err := c.post(ctx, client, "/api/v1/namespaces", map[string]any{"metadata": map[string]any{"name": ns}}); err != nil {
		return err
	}
	data := make([]byte, foreignSize)
	random := rand.NewChaCha8([32]byte{17})
	_, _ = random.Read(data) // it never fails
	value := base64.StdEncoding.EncodeToString(data)
	names, errs := make(chan int), make(chan error, 4)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var failed error
			for i := range names {
				failed = errors.Join(failed, c.post(ctx, client, "/api/v1/namespaces/"+ns+"/secrets", map[string]any{
					"metadata": map[string]any{"name": fmt.Sprintf("foreign-%d", i)}, "data": map[string]any{"v": value}}))
			}
			errs <- failed
		})
	}
	for i := range foreignSecrets {
		names <- i
	}
	close(names)
	group.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

func (c *clusterBench) post(ctx context.Context, client *http.Client, path string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cluster.Server+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	c.cluster.Authorise(req)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("POST %s: %s", path, resp.Status)
	}
	return nil
}
