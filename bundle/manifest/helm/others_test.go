//go:build charts

package helm

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// others are charts that others made, in Go modules that hold them. refused is what a bundle cannot have of them as they
// come, and with what they are then rendered.
var others = []struct {
	module, path string
	values       string // a file in the chart
	set          map[string]string
	refused      string            // what the error says of the chart as it comes; empty: it renders
	mended       map[string]string // what is set then
}{
	{module: "sigs.k8s.io/external-dns@v0.15.1", path: "charts/external-dns"},
	{module: "sigs.k8s.io/metrics-server@v0.7.2", path: "charts/metrics-server"},
	{module: "sigs.k8s.io/kueue@v0.10.0", path: "charts/kueue"},
	{module: "github.com/bitnami-labs/sealed-secrets@v0.27.3", path: "helm/sealed-secrets", set: map[string]string{"metrics.serviceMonitor.enabled": "true"}},
	{module: "github.com/open-policy-agent/gatekeeper/v3@v3.18.2", path: "charts/gatekeeper"},
	{module: "github.com/envoyproxy/gateway@v1.2.6", path: "charts/gateway-helm", values: "values.tmpl.yaml"},
	{module: "github.com/cilium/cilium@v1.16.5", path: "install/kubernetes/cilium", refused: "_helpers.tpl:68: this template does not render: lookup",
		mended: map[string]string{"hubble.tls.auto.method": "cronJob", "hubble.relay.enabled": "true", "prometheus.enabled": "true"}},
	{module: "github.com/kyverno/kyverno@v1.13.2", path: "charts/kyverno", refused: "validate.yaml:29: this template does not render: lookup",
		mended: map[string]string{"upgrade.fromV2": "true"}},
	{module: "go.universe.tf/metallb@v0.14.9", path: "charts/metallb"},
	{module: "github.com/aquasecurity/trivy-operator@v0.22.0", path: "deploy/helm"},
}

// moduleDir loads a module down and gives its folder.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &m); err != nil || jsonErr != nil || m.Dir == "" {
		t.Fatalf("go mod download %s: %v %s", module, err, m.Error)
	}
	return m.Dir
}

// Charts that others made are rendered as stock Helm renders them.
func TestChartsOfOthers(t *testing.T) {
	testtools.Helm(t) // built before anything is timed
	for _, tt := range others {
		t.Run(filepath.Base(tt.path), func(t *testing.T) {
			dir := filepath.Join(moduleDir(t, tt.module), tt.path)
			if _, err := os.Stat(filepath.Join(dir, "Chart.yaml")); err != nil {
				t.Fatal(err)
			}
			o := Options{Release: "theirs", Namespace: "apps", KubeVersion: "1.31.0", Set: tt.set,
				APIVersions: []string{"monitoring.coreos.com/v1"}}
			if tt.values != "" {
				o.Values = []string{filepath.Join(dir, tt.values)}
			}
			chart, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if tt.refused != "" {
				if _, err := chart.Render(o); err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Fatalf("got %v, want %s", err, tt.refused)
				}
				o.Set = tt.mended
			}
			began := time.Now()
			out, err := chart.Render(o)
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			want := stock(t, dir, o)
			same(t, out.Objects, want)
			t.Logf("%s %s: %d objects, %d notes, equal; %s for %d renderings", chart.Name(), chart.Version(), len(want), len(out.Notes), took.Round(time.Millisecond), renderings+3)
			for _, note := range out.Notes {
				t.Log(note)
			}
		})
	}
}
