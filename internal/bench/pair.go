package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// index is what the bench reads of an image layout.
type index struct {
	Manifests []struct {
		Digest      string
		Annotations map[string]string
	}
}

// images gives the names of a side's images, and their platform.
func (b *bench) images(side string) (names []string, platform string, err error) {
	layout := filepath.Join(b.pair.dir, side)
	var in index
	if err := readJSON(filepath.Join(layout, "index.json"), &in); err != nil {
		return nil, "", err
	}
	for _, m := range in.Manifests {
		names = append(names, m.Annotations["org.opencontainers.image.ref.name"])
		var manifest struct{ Config struct{ Digest string } }
		if err := readJSON(blob(layout, m.Digest), &manifest); err != nil {
			return nil, "", err
		}
		var config struct{ OS, Architecture string }
		if err := readJSON(blob(layout, manifest.Config.Digest), &config); err != nil {
			return nil, "", err
		}
		platform = config.OS + "/" + config.Architecture
	}
	if len(names) == 0 {
		return nil, "", errors.New("no image in " + layout)
	}
	return names, platform, nil
}

func blob(layout, digest string) string {
	return filepath.Join(layout, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

func readJSON(file string, into any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// writeReleases writes old.yaml and new.yaml.
func (b *bench) writeReleases() (platform string, err error) {
	for version, side := range []string{"old", "new"} {
		var names []string
		if names, platform, err = b.images(side); err != nil {
			return "", err
		}
		var images strings.Builder
		for _, n := range names {
			fmt.Fprintf(&images, "    - name: %s\n      source: oci:%s\n", n, filepath.Join(b.pair.dir, side))
		}
		text := fmt.Sprintf("apiVersion: sallyport.dev/v1\nkind: Release\nmetadata: {name: bench}\nspec:\n  version: %d.0.0\n  platforms: [%s]\n  images:\n%s  manifests:\n    - path: %s\n",
			version+1, platform, images.String(), filepath.Join(b.pair.dir, "manifests", side))
		if err := os.WriteFile(filepath.Join(b.dir, side+".yaml"), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return platform, nil
}

// writeSite writes site.yaml; mirror is its field as YAML.
func (b *bench) writeSite(mirror, platform string) error {
	manifests := filepath.Join(b.dir, "site-manifests")
	if err := os.Mkdir(manifests, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("apiVersion: sallyport.dev/v1\nkind: Site\nmetadata: {name: bench}\nspec:\n  state: %s\n  trust: %s\n  platform: %s\n  mirror: %s\n  target:\n    manifestsDir: {path: %s}\n",
		filepath.Join(b.dir, "state"), filepath.Join(b.dir, "release.pub"), platform, mirror, manifests)
	return os.WriteFile(filepath.Join(b.dir, "site.yaml"), []byte(text), 0o644)
}

// makePair makes a pair out of the fixture server, for machines without a corpus.
func makePair(ctx context.Context, work string) (pair, error) {
	p := pair{"fixture", filepath.Join(work, "pair")}
	for version, side := range []string{"old", "new"} {
		v := fmt.Sprintf("%d.0.0", version+1)
		name := "registry.example.com/server:" + v
		build, err := os.MkdirTemp(work, "build-")
		if err != nil {
			return p, err
		}
		file, err := fixture.Program(ctx, build, "github.com/sallyport-dev/sallyport/internal/fixture/server", "amd64", map[string]string{"version": v})
		if err != nil {
			return p, err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return p, err
		}
		layer, err := fixture.Layer(fixture.File{Path: "usr/bin/server", Mode: 0o755, Data: data})
		if err != nil {
			return p, err
		}
		img, err := fixture.Image("amd64", "/usr/bin/server", layer)
		if err != nil {
			return p, err
		}
		if err := fixture.WriteLayout(filepath.Join(p.dir, side), name, img); err != nil {
			return p, err
		}
		manifests := filepath.Join(p.dir, "manifests", side)
		if err := os.MkdirAll(manifests, 0o755); err != nil {
			return p, err
		}
		pod := fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: server}\nspec:\n  containers:\n    - {name: server, image: %q}\n", name)
		if err := os.WriteFile(filepath.Join(manifests, "pod.yaml"), []byte(pod), 0o644); err != nil {
			return p, err
		}
	}
	return p, nil
}
