package kube

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testcluster"
)

// shared is the one API server of this package's tests, which keep apart by namespaces and names.
var shared *testcluster.Cluster

func TestMain(m *testing.M) { os.Exit(testcluster.Main(m, &shared)) }

// newCluster connects to the shared API server with little patience.
func newCluster(t *testing.T) *Cluster {
	t.Helper()
	return connect(t, shared.Kubeconfig)
}

func connect(t *testing.T, kubeconfig string) *Cluster {
	t.Helper()
	c, err := NewCluster(Config{Kubeconfig: kubeconfig, Patience: time.Second, Settle: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func objects(format string, args ...any) Objects {
	return Objects{Release: "store", YAML: fmt.Appendf(nil, format, args...)}
}

func mustApply(ctx context.Context, t *testing.T, c *Cluster, want Objects, prev Inventory) (Inventory, []Change) {
	t.Helper()
	inv, changes, err := c.Apply(ctx, want, prev)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return inv, changes
}
