package bootrig

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// Release is a release of the rig's factory: an operating system, a manifest that bears the version, and a check.
type Release struct {
	Version string
	// Root is the image of its operating system; empty for a release of manifests only.
	Root string
	// Bare leaves the manifests out.
	Bare bool
	// Cluster says that its manifests go to a Kubernetes API.
	Cluster bool
	// Parts are more parts of its operating system: files by the names of the parts.
	Parts map[string]string
	// Base is the bundle that it is a delta of; empty for none.
	Base string
	// Sequence is what tells that it is newer; 0 counts up from the base.
	Sequence int
}

// Factory builds signed bundles.
type Factory struct {
	w   *Workshop
	dir string
	// Said is what the last build printed.
	Said string
}

// NewFactory makes a factory in a folder, with a key of its own.
func NewFactory(ctx context.Context, w *Workshop, dir string) (*Factory, error) {
	f := &Factory{w: w, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return f, f.sallyport(ctx, "key", "generate", "--output-key-prefix", "release")
}

// PublicKey is what sites trust.
func (f *Factory) PublicKey() (string, error) {
	b, err := os.ReadFile(filepath.Join(f.dir, "release.pub"))
	return string(b), err
}

// Build makes a bundle, and returns its file: NAME-VERSION.tar in the factory's folder.
func (f *Factory) Build(ctx context.Context, r Release) (string, error) {
	text := fmt.Sprintf("apiVersion: sallyport.dev/v1\nkind: Release\nmetadata: {name: rig}\nspec:\n  version: %s\n  platforms: [linux/amd64]\n", r.Version)
	if r.Sequence != 0 {
		text += fmt.Sprintf("  sequence: %d\n", r.Sequence)
	}
	if !r.Bare {
		text += fmt.Sprintf("  manifests: [{path: ./manifests-%s}]\n", r.Version)
		manifest := configMap(wire.ClusterObject, r.Version)
		if r.Cluster {
			manifest += "---\n" + configMap(wire.OwnObject(r.Version), r.Version)
		}
		if err := writeFile(filepath.Join(f.dir, "manifests-"+r.Version, "rig.yaml"), manifest); err != nil {
			return "", err
		}
	}
	if r.Root != "" {
		text += fmt.Sprintf("  os:\n    version: %q\n    parts:\n    - {name: root, image: %q}\n", r.Version, r.Root)
		for _, name := range slices.Sorted(maps.Keys(r.Parts)) {
			text += fmt.Sprintf("    - {name: %s, image: %q}\n", name, r.Parts[name])
		}
	}
	text += "  checks:\n    - {name: rig, exec: {command: [/usr/local/bin/rig-check]}, timeout: 15s, interval: 1s}\n"
	if r.Cluster {
		text += "    - {name: objects, kubernetes: {wait: all}, timeout: 60s}\n"
	}
	if err := writeFile(filepath.Join(f.dir, r.Version+".yaml"), text); err != nil {
		return "", err
	}
	bundle := filepath.Join(f.dir, "rig-"+r.Version+".tar")
	args := []string{"build", "-f", r.Version + ".yaml", "--key", "release.key", "-o", bundle, "--progress", "none"}
	if r.Base != "" {
		args = append(args, "--base", r.Base)
	}
	return bundle, f.sallyport(ctx, args...)
}

func configMap(name, version string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: default}\ndata: {version: %q}\n", name, version)
}

func (f *Factory) sallyport(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, f.w.Sallyport, args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=rig")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("sallyport %v: %w: %s", args, err, out)
	}
	f.Said = string(out)
	return nil
}
