package bootrig

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// Workshop has the programs that machines are made of.
type Workshop struct {
	// Dir is where everything is made.
	Dir string
	// Source is the folder of the module.
	Source string
	// Sallyport is the whole program, for the factory.
	Sallyport string
	// Cluster is the Kubernetes API that machines run; nil if their manifests go to a folder.
	Cluster *Cluster
	// Site is the program for sites.
	Site string
	// Init is what guests run as pid 1, as the rig's agent, and as a release's check.
	Init   string
	kernel string
	// initrd are the modules that an initrd loads, in this order; none for a kernel that needs no initrd.
	initrd []string
}

// NewWorkshop builds the programs. sallyport is a whole program that is there already; empty builds one.
func NewWorkshop(ctx context.Context, dir, sallyport string) (*Workshop, error) {
	source, err := tool(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	w := &Workshop{Dir: dir, Source: strings.TrimSpace(source), Sallyport: sallyport,
		Site: filepath.Join(dir, "sallyport-site"), Init: filepath.Join(dir, "init")}
	if err := w.build(ctx, w.Init, "./internal/bootrig/init"); err != nil {
		return nil, err
	}
	if err := w.build(ctx, w.Site, ".", "-tags", "site"); err != nil {
		return nil, err
	}
	if sallyport == "" {
		w.Sallyport = filepath.Join(dir, "sallyport")
		if err := w.build(ctx, w.Sallyport, "."); err != nil {
			return nil, err
		}
	}
	w.kernel, err = testtools.Kernel(ctx)
	return w, err
}

func (w *Workshop) build(ctx context.Context, out, pkg string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out}, flags...)
	_, err := tool(ctx, w.Source, "env", append([]string{"CGO_ENABLED=0", "go"}, append(args, pkg)...)...)
	return err
}

// RootMiB is the size of a slot, and of the image of an operating system.
const RootMiB = 24

// Root is the image of an operating system.
type Root struct {
	Image wire.Image
	// NoKernel leaves the kernel out.
	NoKernel bool
	// Kernel and Initrd are files that take the place of what the workshop has; empty for that.
	Kernel, Initrd string
	// Files are more files, by their path in the image.
	Files map[string]string
}

// folders are those that an image needs to mount things at.
var folders = []string{"proc", "sys", "dev", "run", "tmp", "boot", "efi", "var/lib", "media/stick", "root"}

// Root makes the image: an ext4 file system without a journal, so that no kernel that mounts it read-only changes a byte.
func (w *Workshop) Root(ctx context.Context, file string, r Root) error {
	tree := file + ".d"
	if r.Kernel == "" {
		r.Kernel = w.vmlinuz()
	}
	if err := w.tree(tree, &r); err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	return ext4(ctx, file, tree, "root", RootMiB*mib, "-O", "^has_journal,^resize_inode", "-m", "0", "-N", "256")
}

func (w *Workshop) tree(tree string, r *Root) error {
	for _, d := range folders {
		if err := os.MkdirAll(filepath.Join(tree, d), 0o755); err != nil {
			return err
		}
	}
	for i, m := range r.Image.Modules {
		name := "/lib/modules/" + filepath.Base(m)
		if err := copyFile(filepath.Join(w.kernel, "modules", m), filepath.Join(tree, name)); err != nil {
			return err
		}
		r.Image.Modules[i] = name
	}
	image, err := json.Marshal(r.Image)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(tree, wire.ImageFile), string(image)); err != nil {
		return err
	}
	for path, text := range r.Files {
		if err := writeFile(filepath.Join(tree, path), text); err != nil {
			return err
		}
	}
	if err := copyFile(w.Init, filepath.Join(tree, "sbin/init")); err != nil {
		return err
	}
	for name, from := range map[string]string{"boot/vmlinuz": r.Kernel, "boot/initrd.img": r.Initrd} {
		if from == "" || r.NoKernel {
			continue
		}
		if err := copyFile(from, filepath.Join(tree, name)); err != nil {
			return err
		}
	}
	return links(tree, map[string]string{"usr/local/bin/sallyport": SiteProgram, "usr/local/bin/rig-check": "/sbin/init",
		"usr/local/bin/rig-manifest": w.Cluster.reader(), "etc/sallyport": siteFolder})
}

// SiteProgram is where a machine has the program for sites: on the data, so that an image stays small.
const SiteProgram = "/var/lib/bin/sallyport"

func links(tree string, to map[string]string) error {
	for name, target := range to {
		path := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return fmt.Errorf("making a root: %w", err)
		}
	}
	return nil
}
