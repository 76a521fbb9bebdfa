package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testcluster"
)

// The module in which the programs are built: k8s.io/kubernetes with each of its staging modules replaced by the
// published one, as that repository asks of everyone who builds it from outside. They are text files because a go.mod
// would take this folder out of our own module. To change them: copy them into an empty folder as go.mod and go.sum
// beside keep.go, and `go mod tidy`.
var (
	//go:embed kubernetes.mod.txt
	goMod []byte
	//go:embed kubernetes.sum.txt
	goSum []byte
	//go:embed keep.go.txt
	keepGo []byte
)

func programs() []string {
	return []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"}
}

// build makes those of the named programs that dir lacks.
func build(ctx context.Context, dir string, names []string) (err error) {
	for _, n := range names {
		if !slices.Contains(programs(), n) {
			return fmt.Errorf("%s is not one of %s", n, strings.Join(programs(), ", "))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := lock(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	names = slices.DeleteFunc(names, func(n string) bool { return present(filepath.Join(dir, n)) })
	if len(names) == 0 {
		return nil
	}
	module, err := os.MkdirTemp("", "kubernetes-module-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(module)
	for name, data := range map[string][]byte{"go.mod": goMod, "go.sum": goSum, "keep.go": keepGo} {
		if err := os.WriteFile(filepath.Join(module, name), data, 0o644); err != nil {
			return err
		}
	}
	for _, n := range names {
		if err := buildOne(ctx, module, dir, n); err != nil {
			return err
		}
	}
	return nil
}

func present(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}

// buildOne leaves the finished program in dir, or nothing.
func buildOne(ctx context.Context, module, dir, name string) error {
	fmt.Fprintf(os.Stderr, "building %s %s, which takes some minutes\n", name, testcluster.Version)
	began := time.Now()
	temp, err := os.MkdirTemp(dir, ".build-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	args := []string{"build", "-mod=readonly", "-trimpath", "-ldflags", ldflags(), "-o", filepath.Join(temp, name),
		"k8s.io/kubernetes/cmd/" + name}
	cmd := niced(ctx, "go", args)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot build %s: %w", name, err)
	}
	if err := os.Rename(filepath.Join(temp, name), filepath.Join(dir, name)); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "built %s in %s\n", name, time.Since(began).Round(time.Second))
	return nil
}

// ldflags gives the programs their version: clients and servers compare it.
func ldflags() string {
	const at = "k8s.io/component-base/version."
	v := strings.Split(strings.TrimPrefix(testcluster.Version, "v"), ".")
	return fmt.Sprintf("-s -w -X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s",
		at, testcluster.Version, at, v[0], at, v[1])
}

// niced runs a command behind everything else on the machine, where that is possible.
func niced(ctx context.Context, name string, args []string) *exec.Cmd {
	if nice, err := exec.LookPath("nice"); err == nil {
		return exec.CommandContext(ctx, nice, append([]string{"-n", "19", name}, args...)...)
	}
	return exec.CommandContext(ctx, name, args...)
}

// lock waits until no other process holds the file.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for said := false; ; said = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), f.Close())
		}
		if !said {
			fmt.Fprintln(os.Stderr, "waiting for another build")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-time.After(time.Second):
		}
	}
}
