package testcluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStart(t *testing.T) {
	c := Start(t)
	c.StopAPI()
	if err := c.StartAPI(t); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), c.Server) {
		t.Errorf("the kubeconfig does not name %s: %s", c.Server, b)
	}
}

func TestMissingProgram(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	_, err := Bin("kubelet")
	if err == nil || !strings.Contains(err.Error(), "go run ./internal/testcluster/build kubelet") {
		t.Errorf("got %v, want an error that says how to build it", err)
	}
	t.Setenv("PATH", dir)
	if _, err := etcd(); err == nil || !strings.Contains(err.Error(), "apt-get install etcd-server") {
		t.Errorf("got %v, want an error that says how to install it", err)
	}
	want := filepath.Join(dir, "sallyport-tools", "kubernetes-"+Version)
	if got, err := BinDir(); err != nil || got != want {
		t.Errorf("BinDir = %q, %v; want %q", got, err, want)
	}
}
