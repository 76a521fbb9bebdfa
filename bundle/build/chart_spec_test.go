package build

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

const chartSpec = `apiVersion: sallyport.dev/v1
kind: Release
metadata: {name: store}
spec:
  version: 1.0.0
  manifests:
    - path: ./chart
      helm:
        release: shop
        namespace: retail
        values: [values.yaml]
        set: {ratio: 1.10, text: "true", on: false, none: , more.hosts: "{a,b}"}
        kubeVersion: "1.31"
        apiVersions: [example.com/v1/Engine]
    - path: oci://registry.example.com/charts/app:1.2.3
  requires:
    kubernetes: [">=1.30"]
`

// Values under set are kept as they are written: Helm, not YAML, says what they are.
func TestLoadsCharts(t *testing.T) {
	s, err := Load(writeSpec(t, chartSpec))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Manifests) != 2 || s.Manifests[1].Path != "oci://registry.example.com/charts/app:1.2.3" {
		t.Fatalf("manifests %+v", s.Manifests)
	}
	o := s.Manifests[0].Helm
	want := map[string]string{"ratio": "1.10", "text": "true", "on": "false", "none": "null", "more.hosts": "{a,b}"}
	if o.Release != "shop" || o.Namespace != "retail" || o.KubeVersion != "1.31" || !maps.Equal(o.Set, want) ||
		!slices.Equal(o.Values, []string{filepath.Join(s.Dir, "values.yaml")}) || !slices.Equal(o.APIVersions, []string{"example.com/v1/Engine"}) {
		t.Errorf("helm %+v", o)
	}
	if !slices.Equal(s.Requires.Kubernetes, []string{">=1.30"}) {
		t.Errorf("requires %+v", s.Requires)
	}
	schema, err := doccheck.Release()
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(chartSpec); err != nil {
		t.Errorf("the schema refuses it: %v", err)
	}
}
