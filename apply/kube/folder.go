package kube

import (
	"context"
	"errors"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// FolderFile is the one file that a Folder writes.
const FolderFile = "sallyport.yaml"

// Folder is a folder of manifests that a cluster watches, as a target. It has the methods of Cluster.
type Folder struct {
	dir  string
	disk durable.Disk
}

// NewFolder uses dir, which must exist when objects are applied: the cluster's own software makes it.
func NewFolder(dir string, disk durable.Disk) *Folder { return &Folder{dir, disk} }

// String is the path of the folder.
func (f *Folder) String() string { return f.dir }

// Ping checks that the folder can be written.
func (f *Folder) Ping(ctx context.Context) (version string, err error) {
	return "", errors.ErrUnsupported
}

// Inventory lists the objects. It changes nothing.
func (f *Folder) Inventory(ctx context.Context, want Objects) (Inventory, error) {
	return Inventory{}, errors.ErrUnsupported
}

// DryRun compares the objects with those in the file.
func (f *Folder) DryRun(ctx context.Context, want Objects, prev Inventory) ([]Change, error) {
	return nil, errors.ErrUnsupported
}

// Apply replaces the file.
func (f *Folder) Apply(ctx context.Context, want Objects, prev Inventory) (Inventory, []Change, error) {
	return Inventory{}, nil, errors.ErrUnsupported
}

// Prune takes what prev lists and keep does not out of the file.
func (f *Folder) Prune(ctx context.Context, prev, keep Inventory) ([]Change, error) {
	return nil, errors.ErrUnsupported
}

// Health knows of no object.
func (f *Folder) Health(ctx context.Context, want Objects) ([]ObjectStatus, error) {
	return nil, errors.ErrUnsupported
}
