package kube

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Config says which cluster, and how hard to ask it.
type Config struct {
	Kubeconfig string // path of the file
	Context    string // of the kubeconfig; empty: its current one
	// Patience is how long a request is repeated while the server is down or overloaded (default 15 s).
	Patience time.Duration
	// Settle is how long to wait for what must be there before anything else, or gone: namespaces,
	// CustomResourceDefinitions, objects that are being deleted (default 2 min).
	Settle time.Duration
	// Workers is how many requests are under way at once (default 4).
	Workers int
	Log     *slog.Logger // warnings of the server; nil: none
}

// Cluster is a Kubernetes API as a target. It is safe for use by one goroutine at a time.
type Cluster struct{}

// NewCluster reads the kubeconfig. It does not talk to the server.
func NewCluster(c Config) (*Cluster, error) { return nil, errors.ErrUnsupported }

// String is the server's URL.
func (c *Cluster) String() string { return "" }

// Ping asks the server for its version.
func (c *Cluster) Ping(ctx context.Context) (version string, err error) {
	return "", errors.ErrUnsupported
}

// Inventory lists the objects under the names by which the server will know them. It changes nothing.
func (c *Cluster) Inventory(ctx context.Context, want Objects) (Inventory, error) {
	return Inventory{}, errors.ErrUnsupported
}

// DryRun says what Apply of want and then Prune of what left since prev would do.
func (c *Cluster) DryRun(ctx context.Context, want Objects, prev Inventory) ([]Change, error) {
	return nil, errors.ErrUnsupported
}

// Apply makes the objects be as wanted. prev is what this site has on the target already. The inventory is that of
// want, also when applying stops half-way: it then lists everything that may have been created.
func (c *Cluster) Apply(ctx context.Context, want Objects, prev Inventory) (Inventory, []Change, error) {
	return Inventory{}, nil, errors.ErrUnsupported
}

// Prune deletes what prev lists and keep does not.
func (c *Cluster) Prune(ctx context.Context, prev, keep Inventory) ([]Change, error) {
	return nil, errors.ErrUnsupported
}

// Health looks once at every object.
func (c *Cluster) Health(ctx context.Context, want Objects) ([]ObjectStatus, error) {
	return nil, errors.ErrUnsupported
}
