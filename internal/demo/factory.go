package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/fixture"
)

const module = "github.com/sallyport-dev/sallyport/internal/fixture/"

var versions = []struct{ version, mode string }{
	{"1.0.0", "well"}, {"2.0.0", "well"}, {"3.0.0", "sick"}, {"4.0.0", "well"}, {"5.0.0", "well"},
}

func imageName(version string) string  { return "registry.example.com/shop/server:" + version }
func bundleFile(version string) string { return "shop-" + version + ".tar" }

// factory makes an image, a manifest and a release.yaml for each version.
func (d *demo) factory(ctx context.Context) error {
	extra, err := d.site.extra(ctx, d.dir)
	if err != nil {
		return err
	}
	for i, v := range versions {
		if err := d.image(ctx, v.version, v.mode); err != nil {
			return err
		}
		files := map[string]string{
			"manifests-" + v.version + "/server.yaml": deployment(imageName(v.version), d.site.address()),
			"release-" + v.version + ".yaml":          release(v.version, i+1, d.site, extra),
		}
		for file, text := range files {
			file = filepath.Join(d.dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				return err
			}
		}
		fmt.Printf("made %s\n", imageName(v.version))
	}
	return nil
}

func (d *demo) image(ctx context.Context, version, mode string) error {
	build, err := os.MkdirTemp(d.dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(build)
	img, err := programImage(ctx, build, "server", map[string]string{"version": version, "mode": mode})
	if err != nil {
		return err
	}
	return fixture.WriteLayout(filepath.Join(d.dir, "images"), imageName(version), img)
}

func release(version string, sequence int, at site, extra map[string]string) string {
	var images strings.Builder
	fmt.Fprintf(&images, "    - name: %s\n      source: oci:./images\n", imageName(version))
	for name, source := range extra {
		fmt.Fprintf(&images, "    - name: %s\n      source: %s\n", name, source)
	}
	return fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Release
metadata:
  name: shop
spec:
  version: %s
  sequence: %d
  platforms: [linux/%s]
  images:
%s  manifests:
    - path: ./manifests-%s
  checks:
    - name: mirror
      image: {}
%s    - name: server-is-well
      http: {url: "http://%s/health", body: "^%s "}
      interval: 500ms
      timeout: 20s
      failureLimit: 10
`, version, sequence, runtime.GOARCH, images.String(), version, at.checks(), at.address(), strings.ReplaceAll(version, ".", `\\.`))
}

func deployment(image, address string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: server
  namespace: default
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector:
    matchLabels: {app: server}
  template:
    metadata:
      labels: {app: server}
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 1
      containers:
        - name: server
          image: %s
          env:
            - {name: LISTEN, value: "%s"}
`, image, address)
}
