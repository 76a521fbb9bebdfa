package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/yaml"
)

// folder is a site without a cluster. It plays the part of k3s: it watches the manifests folder, pulls the image
// that a Deployment there names from the mirror, and runs its entrypoint as a process.
type folder struct {
	manifests, mirror, server string

	cancel    context.CancelFunc
	endMirror func()
	done      sync.WaitGroup
}

func newFolder(ctx context.Context, dir string) (*folder, error) {
	f := &folder{manifests: filepath.Join(dir, "manifests")}
	var err error
	if f.mirror, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	if f.server, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	return f, os.MkdirAll(f.manifests, 0o755)
}

func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (f *folder) config(dir string) string {
	return fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Site
metadata:
  name: demo
spec:
  state: %s/state
  trust: %s/release.pub
  mirror: {dir: %s/mirror, listen: %q}
  target:
    manifestsDir: {path: %s}
`, dir, dir, dir, f.mirror, f.manifests)
}

func (f *folder) extra(context.Context, string) (map[string]string, error) { return nil, nil }
func (f *folder) checks() string                                           { return "" }
func (f *folder) address() string                                          { return f.server }

func (f *folder) start(ctx context.Context, d *demo) error {
	ctx, f.cancel = context.WithCancel(ctx)
	if err := f.serve(ctx, d); err != nil {
		return err
	}
	f.done.Go(func() { f.watch(ctx, d.dir) })
	return nil
}

// serve starts the mirror.
func (f *folder) serve(ctx context.Context, d *demo) error {
	fmt.Println("$ sallyport mirror serve &")
	ctx, cancel := context.WithCancel(ctx)
	serve := exec.CommandContext(ctx, d.program, "mirror", "serve", "--quiet")
	serve.Dir, serve.Env, serve.Stderr = d.dir, d.env, os.Stderr
	if err := serve.Start(); err != nil {
		cancel()
		return err
	}
	ended := make(chan struct{})
	f.done.Go(func() { _ = serve.Wait(); close(ended) })
	f.endMirror = func() { cancel(); <-ended }
	for deadline := time.Now().Add(10 * time.Second); ask(ctx, "http://"+f.mirror+"/v2/") != "{}"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("the mirror does not answer")
		}
	}
	return nil
}

// lose ends the mirror and takes away its folder, the state and the manifests.
func (f *folder) lose(_ context.Context, d *demo) (bool, error) {
	f.endMirror()
	for _, lost := range []string{"state", "mirror", "inbox", filepath.Base(f.manifests)} {
		if err := os.RemoveAll(filepath.Join(d.dir, lost)); err != nil {
			return false, err
		}
	}
	return true, os.Mkdir(f.manifests, 0o755)
}

// restored starts the mirror again.
func (f *folder) restored(ctx context.Context, d *demo) error { return f.serve(ctx, d) }

func (f *folder) stop() {
	if f.cancel != nil {
		f.cancel()
	}
	if f.endMirror != nil {
		f.endMirror()
	}
	f.done.Wait()
}

// watch runs the image that the folder names, and another as soon as it names another.
func (f *folder) watch(ctx context.Context, dir string) {
	var runs string
	var server *exec.Cmd
	for ctx.Err() == nil {
		if wanted := f.wanted(); wanted != runs {
			if server != nil {
				_ = server.Process.Kill()
				_ = server.Wait()
				server = nil
			}
			runs = ""
			if wanted != "" {
				next, err := f.run(ctx, dir, wanted)
				if err != nil {
					fmt.Println("node:", err)
				} else {
					server, runs = next, wanted
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	if server != nil {
		_ = server.Wait() // the context has killed it
	}
}

// wanted is the image that the Deployment in the folder names, or nothing.
func (f *folder) wanted() string {
	files, err := filepath.Glob(filepath.Join(f.manifests, "*.yaml"))
	if err != nil {
		return ""
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, doc := range bytes.Split(b, []byte("\n---")) {
			var o struct {
				Spec struct {
					Template struct {
						Spec struct{ Containers []struct{ Image string } }
					}
				}
			}
			if yaml.Unmarshal(doc, &o) == nil && len(o.Spec.Template.Spec.Containers) == 1 {
				return o.Spec.Template.Spec.Containers[0].Image
			}
		}
	}
	return ""
}

// run pulls image from the mirror, unpacks its program and starts it.
func (f *folder) run(ctx context.Context, dir, image string) (*exec.Cmd, error) {
	ref, err := name.ParseReference(strings.Replace(image, "registry.example.com", f.mirror, 1), name.Insecure)
	if err != nil {
		return nil, err
	}
	img, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	program, err := unpack(img, config.Config.Entrypoint[0], dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{"LISTEN=" + f.server}
	return cmd, cmd.Start()
}

// unpack writes the file path of img into a new file in dir.
func unpack(img v1.Image, path, dir string) (string, error) {
	files := mutate.Extract(img)
	defer files.Close()
	for tr := tar.NewReader(files); ; {
		h, err := tr.Next()
		if err != nil {
			return "", fmt.Errorf("%s is not in the image: %w", path, err)
		}
		if "/"+h.Name != path {
			continue
		}
		out, err := os.CreateTemp(dir, "runs-")
		if err != nil {
			return "", err
		}
		if _, err := io.Copy(out, tr); err != nil {
			return "", errors.Join(err, out.Close())
		}
		if err := out.Chmod(0o755); err != nil {
			return "", errors.Join(err, out.Close())
		}
		return out.Name(), out.Close()
	}
}
