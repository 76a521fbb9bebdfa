package manifest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle/manifest"
	"github.com/sallyport-dev/sallyport/bundle/manifest/helm"
)

const twoCharts = `
-- one/Chart.yaml --
{apiVersion: v2, name: one, version: 1.0.0, kubeVersion: ">=1.25.0-0"}
-- one/crds/engine.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: engines.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Engine, plural: engines}, versions: []}
-- one/templates/all.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: kube-system}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: one}, rules: []}
---
{apiVersion: example.com/v1, kind: Plant, metadata: {name: one}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}}
-- two/Chart.yaml --
{apiVersion: v2, name: two, version: 2.0.0}
-- two/templates/all.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
---
{apiVersion: example.com/v1, kind: Engine, metadata: {name: two}}
---
{apiVersion: example.org/v1, kind: Foreign, metadata: {name: two}}
-- plain/plant.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: plants.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Plant, plural: plants}, versions: []}
---
{apiVersion: v1, kind: Namespace, metadata: {name: first}}
`

// helm/helm#3553: helm template gives no namespace to objects that name none. Here each gets its release's, as helm
// install -n would give it: by the scope of its kind, which any definition in the release may tell.
func TestChartsGetTheirNamespaces(t *testing.T) {
	dir := unpack(t, twoCharts)
	r, err := manifest.Render(context.Background(), []manifest.Source{
		{Path: dir + "/one", Helm: &helm.Options{Namespace: "first"}},
		{Path: dir + "/two", Helm: &helm.Options{Release: "again", Namespace: "second"}},
		{Path: dir + "/plain"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `CustomResourceDefinition engines.example.com one/crds/engine.yaml
ConfigMap first/settings one/templates/all.yaml
ConfigMap kube-system/settings one/templates/all.yaml
ClusterRole one one/templates/all.yaml
Plant one one/templates/all.yaml
ConfigMap first/hook one/templates/all.yaml
ConfigMap second/settings two/templates/all.yaml
Engine second/two two/templates/all.yaml
Foreign second/two two/templates/all.yaml
CustomResourceDefinition plants.example.com plain/plant.yaml:1
Namespace first plain/plant.yaml:6`
	if got := list(r, dir); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	notes := strings.Join(r.Notes, "\n")
	if !strings.Contains(notes, "Foreign two is taken for an object with a namespace") || !strings.Contains(notes, "no object of the release makes the namespace second") ||
		strings.Contains(notes, "namespace first") {
		t.Errorf("notes:\n%s", notes)
	}
	if len(r.Charts) != 2 || r.Charts[0].KubeVersion != ">=1.25.0-0" || r.Charts[1].Release != "again" || r.Charts[1].Version != "2.0.0" {
		t.Errorf("charts %+v", r.Charts)
	}
	if hooks := r.Hooks(r.Charts[0]); len(hooks) != 1 || hooks[0].ID() != "ConfigMap first/hook" || r.Hooks(r.Charts[1]) != nil {
		t.Errorf("hooks %v", hooks)
	}
}

// A chart without a word on how to render it, in a folder of manifests too, has Helm's defaults.
func TestChartAmongManifests(t *testing.T) {
	dir := unpack(t, "-- a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n-- chart/Chart.yaml --\n{apiVersion: v2, name: one, version: 1.0.0}\n"+
		"-- chart/templates/x.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: {{ .Release.Name }}}}\n-- chart/values.yaml --\nnot: an object\n")
	if got, want := list(render(t, dir), dir), "ConfigMap a a.yaml:1\nConfigMap default/one chart/templates/x.yaml"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	_, err := manifest.Render(context.Background(), []manifest.Source{{Path: dir + "/a.yaml", Helm: &helm.Options{}}})
	if err == nil || !strings.Contains(err.Error(), "is no Helm chart") {
		t.Errorf("got %v", err)
	}
}
