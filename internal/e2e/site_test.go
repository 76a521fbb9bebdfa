//go:build e2e

// Package e2e runs the main job, and releases that fail, on the real Kubernetes node of node.sh: others judge what sallyport did.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/fixture"
)

const (
	module      = "github.com/sallyport-dev/sallyport/internal/fixture/"
	registry    = "127.0.0.1:5100" // the factory's, which the site never sees
	server      = "127.0.0.1:8080"
	pauseName   = "registry.example.com/edge/pause:1"
	serverImage = registry + "/shop/server"
	serverProbe = "          readinessProbe: {tcpSocket: {host: 127.0.0.1, port: 8080}, periodSeconds: 1}\n"
)

// rig is the factory and the site of one test run.
type rig struct {
	t   *testing.T
	dir string
	env []string
}

func environment(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run this by make e2e", name)
	}
	return v
}

func newRig(t *testing.T) *rig { return newRigIn(t, t.TempDir()) }

// newRigIn makes dir a factory's and a site's. Several sites may share the node.
func newRigIn(t *testing.T, dir string) *rig {
	r := &rig{t: t, dir: dir}
	r.env = append(os.Environ(), "COSIGN_PASSWORD=e2e", "SALLYPORT_SITE="+filepath.Join(r.dir, "site.yaml"))
	r.write("site.yaml", fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Site
metadata:
  name: edge-1
spec:
  state: %s/state
  trust: %s/release.pub
  mirror: {url: %q}
  target:
    kubernetes: {kubeconfig: %s}
`, r.dir, r.dir, environment(t, "MIRROR"), environment(t, "KUBECONFIG")))
	return r
}

func (r *rig) write(name, text string) string {
	r.t.Helper()
	file := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// run starts a command in the rig's folder and returns its standard output; it must end with status want.
func (r *rig) run(want int, name string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	r.t.Logf("$ %s %s\n%s%s", filepath.Base(name), strings.Join(args, " "), out.String(), errs.String())
	if got := cmd.ProcessState.ExitCode(); got != want {
		r.t.Fatalf("%s %v: exit status %d, want %d", filepath.Base(name), args, got, want)
	}
	return out.String()
}

func (r *rig) sallyport(want int, args ...string) string {
	r.t.Helper()
	return r.run(want, environment(r.t, "SALLYPORT"), args...)
}

// sallyportJSON decodes what a verb prints with --json.
func (r *rig) sallyportJSON(want int, into any, args ...string) {
	r.t.Helper()
	out := r.sallyport(want, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		r.t.Fatalf("%v prints no JSON: %v\n%s", args, err, out)
	}
}

// factoryRegistry runs Debian's registry until the returned function is called: before the site does anything.
func (r *rig) factoryRegistry() (stop func()) {
	config := r.write("registry.yaml", fmt.Sprintf(`version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: %s/factory}}
http: {addr: %q}
`, r.dir, registry))
	cmd := exec.Command("docker-registry", "serve", config)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	r.t.Cleanup(stop)
	r.eventually(10*time.Second, "the factory's registry answers", func() error { return get("http://"+registry+"/v2/", "{}") })
	return stop
}

// image builds a fixture program into an image, and returns it as pushed: NAME:TAG.
func (r *rig) image(program, ref string, vars map[string]string) {
	r.t.Helper()
	ctx := context.Background()
	file, err := fixture.Program(ctx, r.t.TempDir(), module+program, runtime.GOARCH, vars)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	layer, err := fixture.Layer(fixture.File{Path: "usr/bin/" + program, Mode: 0o755, Data: b})
	if err != nil {
		r.t.Fatal(err)
	}
	img, err := fixture.Image(runtime.GOARCH, "/usr/bin/"+program, layer)
	if err != nil {
		r.t.Fatal(err)
	}
	if strings.HasPrefix(ref, registry) {
		err = fixture.Push(ctx, ref, img)
	} else {
		err = fixture.WriteLayout(filepath.Join(r.dir, "images"), ref, img)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// release writes release-VERSION.yaml and its manifests; probe is the server's readiness probe, or nothing.
func (r *rig) release(version, image, probe, checks string) {
	r.write("manifests-"+version+"/server.yaml", fmt.Sprintf(`apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: server, namespace: shop}
spec:
  replicas: 1
  strategy: {type: Recreate}
  progressDeadlineSeconds: 30
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 1
      containers:
        - name: server
          image: %s
          terminationMessagePolicy: FallbackToLogsOnError
          env: [{name: LISTEN, value: "%s"}]
%s`, image, server, probe))
	r.write("release-"+version+".yaml", fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Release
metadata: {name: shop}
spec:
  version: %s
  platforms: [linux/%s]
  images:
    - name: %s
      source: oci:./images
  manifests:
    - path: ./manifests-%s
  checks:
%s`, version, runtime.GOARCH, pauseName, version, checks))
}

func (r *rig) bundle(version string) string { return "shop-" + version + ".tar" }

// eventually asks try until it is content.
func (r *rig) eventually(limit time.Duration, what string, try func() error) {
	r.t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	r.t.Fatalf("%s: not within %s: %v", what, limit, err)
}

// get wants url to answer want.
func get(url, want string) error {
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1000))
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(b)); got != want {
		return fmt.Errorf("%s answers %q, want %q", url, got, want)
	}
	return nil
}

// runs wants the pods, as the API server and the server itself tell, to be those of version.
func (r *rig) runs(version string) {
	r.t.Helper()
	r.eventually(60*time.Second, "version "+version+" runs", func() error { return get("http://"+server+"/version", version) })
	image := strings.Fields(r.run(0, "kubectl", "-n", "shop", "get", "deployment", "server", "-o", "jsonpath={.spec.template.spec.containers[0].image}"))
	if len(image) != 1 || !strings.HasPrefix(image[0], serverImage+":"+version) {
		r.t.Errorf("the deployment names %v, want %s:%s", image, serverImage, version)
	}
}
