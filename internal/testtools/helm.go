package testtools

import (
	"context"
	"testing"
)

const (
	// HelmVersion is the Helm release whose helm template our rendering of charts is compared with: that of the library
	// we render with.
	HelmVersion = "v3.22.0"

	helmPackage = "helm.sh/helm/v3/cmd/helm"
)

// Helm returns the path of a stock helm. The first call on a machine builds it.
func Helm(t testing.TB) string {
	t.Helper()
	path, err := BuildHelm(context.Background())
	if err != nil {
		t.Fatalf("this test needs helm %s, which could not be built: %v", HelmVersion, err)
	}
	return path
}

// BuildHelm returns the path of the cached stock helm, and builds it if it is absent.
func BuildHelm(ctx context.Context) (string, error) {
	return buildTool(ctx, "helm", HelmVersion, helmPackage)
}
