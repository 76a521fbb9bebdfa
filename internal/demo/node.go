package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// node is the real cluster of internal/e2e/node.sh.
type node struct{ mirror, kubeconfig, hosts string }

func newNode() *node {
	return &node{os.Getenv("MIRROR"), os.Getenv("KUBECONFIG"), os.Getenv("CONTAINERD_HOSTS")}
}

const pauseName = "registry.example.com/edge/pause:1"

func (n *node) config(dir string) string {
	return fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Site
metadata:
  name: demo
spec:
  state: %s/state
  trust: %s/release.pub
  mirror: {url: %q}
  target:
    kubernetes: {kubeconfig: %s}
`, dir, dir, n.mirror, n.kubeconfig)
}

// start tells containerd where the mirror is.
func (n *node) start(ctx context.Context, d *demo) error {
	return d.sallyport(ctx, 0, "mirror", "config", "--containerd", n.hosts, "--registry", "registry.example.com")
}

func (n *node) extra(ctx context.Context, dir string) (map[string]string, error) {
	build, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(build)
	img, err := programImage(ctx, build, "pause", nil)
	if err != nil {
		return nil, err
	}
	return map[string]string{pauseName: "oci:./images"}, fixture.WriteLayout(dir+"/images", pauseName, img)
}

func (n *node) checks() string {
	return "    - name: pods\n      kubernetes: {wait: all}\n      timeout: 60s\n"
}
func (n *node) address() string { return "127.0.0.1:8080" }
func (n *node) stop()           {}

// lose leaves the node as it is: what a cluster has lost is shown by the tests of recovery.
func (n *node) lose(context.Context, *demo) (bool, error) { return false, nil }
func (n *node) restored(context.Context, *demo) error     { return nil }

// programImage makes an image of one of the fixture programs for this machine's processor.
func programImage(ctx context.Context, dir, program string, vars map[string]string) (v1.Image, error) {
	file, err := fixture.Program(ctx, dir, module+program, runtime.GOARCH, vars)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	layer, err := fixture.Layer(fixture.File{Path: "usr/bin/" + program, Mode: 0o755, Data: b})
	if err != nil {
		return nil, err
	}
	return fixture.Image(runtime.GOARCH, "/usr/bin/"+program, layer)
}
