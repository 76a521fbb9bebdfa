package testcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Version is the Kubernetes release that tests run.
const Version = "v1.36.3"

// BinDir is the folder, outside the tree and kept between runs, for the programs that internal/testcluster/build makes:
// $XDG_CACHE_HOME/sallyport-tools/kubernetes-VERSION, with ~/.cache as the default.
func BinDir() (string, error) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache")
	}
	if !filepath.IsAbs(cache) {
		return "", fmt.Errorf("XDG_CACHE_HOME=%s is not an absolute path", cache)
	}
	return filepath.Join(cache, "sallyport-tools", "kubernetes-"+Version), nil
}

// Bin returns the path of one of those programs. The error says how to get it.
func Bin(name string) (string, error) {
	dir, err := BinDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w; make it: go run ./internal/testcluster/build %s (make test does)", err, name)
	}
	return path, nil
}

// etcd is from the system.
func etcd() (string, error) {
	path, err := exec.LookPath("etcd")
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("etcd is not installed; on Debian: apt-get install etcd-server (make test does)")
	}
	return path, err
}
