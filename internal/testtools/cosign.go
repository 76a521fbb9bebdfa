package testtools

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const (
	// CosignVersion is the cosign release that our signatures must work with, both ways.
	CosignVersion = "v2.6.5"

	cosignPackage = "github.com/sigstore/cosign/v2/cmd/cosign"
)

// Cosign returns the path of a stock cosign. The first call on a machine builds it, with the dependencies that cosign's
// own go.mod pins: about three CPU minutes.
func Cosign(t testing.TB) string {
	t.Helper()
	path, err := BuildCosign(context.Background())
	if err != nil {
		t.Fatalf("this test needs cosign %s, which could not be built: %v", CosignVersion, err)
	}
	return path
}

// BuildCosign returns the path of the cached stock cosign, and builds it if it is absent.
func BuildCosign(ctx context.Context) (string, error) {
	return buildTool(ctx, "cosign", CosignVersion, cosignPackage)
}

// buildTool returns the path of a program in the cache, and builds it if it is absent.
func buildTool(ctx context.Context, name, version, pkg string) (string, error) {
	dir, err := CacheDir(name, version)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	unlock, err := lock(filepath.Join(dir, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	return path, goInstall(ctx, pkg+"@"+version, path)
}

// goInstall builds a module's program apart from our own module and puts it at path, whole or not at all.
func goInstall(ctx context.Context, pkg, path string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".build-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.CommandContext(ctx, "go", "install", pkg)
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), "GOBIN="+tmp, "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-trimpath")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", pkg, err, out)
	}
	return os.Rename(filepath.Join(tmp, filepath.Base(path)), path)
}

// lock waits until no other process holds the file.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
