package manifest_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

const kustomized = `
-- base/kustomization.yaml --
resources:
- deployment.yaml
- other.yaml
configMapGenerator:
- name: settings
  literals: [url=https://example.com]
-- base/deployment.yaml --
# the model
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  template:
    spec:
      containers:
      - name: app
        image: registry.example.com/app:1
      - name: helper
        image: registry.example.com/helper:1
        envFrom: [{configMapRef: {name: settings}}]
-- base/other.yaml --
apiVersion: v1
kind: Pod
metadata:
  name: other
  annotations: {path: "https://example.com"}
spec:
  containers:
  - name: a
    image: "registry.example.com/helper:1"
-- site/kustomization.yaml --
namespace: shop
nameSuffix: -v2
resources: [../base]
commonAnnotations: {path: "https://example.com"}
images:
- name: registry.example.com/app
  newTag: "2"
patches:
- path: patch.yaml
-- site/patch.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  template:
    spec:
      containers:
      - name: sidecar
        image: registry.example.com/sidecar:7
`

func TestKustomize(t *testing.T) {
	dir := unpack(t, kustomized)
	for _, path := range []string{"site", "site/kustomization.yaml"} {
		r := render(t, filepath.Join(dir, path))
		want := `Deployment shop/app-v2 base/deployment.yaml:2
Pod shop/other-v2 base/other.yaml:1
ConfigMap shop/settings-v2-`
		got := list(r, dir)
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " site/kustomization.yaml") {
			t.Errorf("%s:\n%s\nwant:\n%s", path, got, want)
		}
	}
}

// Each image is named where a person would change it.
func TestKustomizeImages(t *testing.T) {
	dir := unpack(t, kustomized)
	uses, err := render(t, filepath.Join(dir, "site")).Images(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, u := range uses {
		got[u.Object+" "+u.Reference] = relative(u.Place, dir)
	}
	for use, place := range map[string]string{
		"Deployment shop/app-v2 registry.example.com/app:2":     "site/kustomization.yaml:6",
		"Deployment shop/app-v2 registry.example.com/helper:1":  "base/deployment.yaml:12",
		"Deployment shop/app-v2 registry.example.com/sidecar:7": "site/patch.yaml:9",
		"Pod shop/other-v2 registry.example.com/helper:1":       "base/other.yaml:9",
	} {
		if got[use] != place {
			t.Errorf("%s: %q, want %s", use, got[use], place)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d images: %v", len(got), got)
	}
}

// Nothing is ever fetched: the server that everything points to must not be asked.
func TestKustomizeFetchesNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was fetched", r.URL)
	}))
	defer server.Close()
	tests := []struct{ name, archive, message string }{
		{"resource", "-- kustomization.yaml --\n\nresources:\n- URL/x.yaml\n", "DIR/kustomization.yaml:3: URL/x.yaml would be fetched"},
		{"git", "-- kustomization.yaml --\nresources: ['git::URL/org/repo//base?ref=v1']\n", "would be fetched"},
		{"ssh", "-- kustomization.yaml --\nresources: ['git@example.com:org/repo']\n", "kustomization.yaml:1: git@example.com:org/repo would be fetched"},
		{"github", "-- kustomization.yaml --\ncomponents: [GitHub.com/org/repo]\n", "GitHub.com/org/repo would be fetched"},
		{"other case", "-- kustomization.yaml --\nresources: ['HTTPS://example.com/org/repo']\n", "would be fetched"},
		{"other case of a key", "-- kustomization.yaml --\nRESOURCES: [URL/x.yaml]\n", "would be fetched"},
		{"by an alias", "-- kustomization.yaml --\nmetadata: {name: &u URL/x.yaml}\nresources: [*u]\n", "would be fetched"},
		{"by a merge", "-- kustomization.yaml --\nmetadata: &m {resources: [URL/x.yaml]}\n<<: *m\n", "would be fetched"},
		{"patch", "-- kustomization.yaml --\npatches: [{path: URL/x.yaml}]\n", "would be fetched"},
		{"old patch", "-- kustomization.yaml --\npatchesStrategicMerge: [URL/x.yaml]\n", "would be fetched"},
		{"generator", "-- kustomization.yaml --\nconfigMapGenerator: [{name: a, files: [key=URL/x]}]\n", "URL/x would be fetched"},
		{"secret", "-- kustomization.yaml --\nsecretGenerator: [{name: a, envs: [URL/x]}]\n", "would be fetched"},
		{"schema", "-- kustomization.yaml --\nopenapi: {path: URL/x}\n", "would be fetched"},
		{"replacement", "-- kustomization.yaml --\nreplacements: [{path: URL/x}]\n", "would be fetched"},
		{"below", "-- kustomization.yaml --\nresources: [a]\n-- a/kustomization.yml --\nbases: [../b]\n-- b/Kustomization --\ncrds: [URL/x]\n", "DIR/b/Kustomization:1: URL/x would be fetched"},
		{"configuration", "-- kustomization.yaml --\ntransformers: [t.yaml]\n-- t.yaml --\n{apiVersion: builtin, kind: PatchTransformer, metadata: {name: x}}\n---\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: URL/x\n", "DIR/t.yaml:6: URL/x would be fetched"},
		{"configuration in place", "-- kustomization.yaml --\ngenerators:\n- |\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: x}\n  files: [URL/x]\n", "URL/x would be fetched"},
		{"configuration in a folder", "-- kustomization.yaml --\ngenerators: [g]\n-- g/kustomization.yaml --\nresources: [g.yaml]\n-- g/g.yaml --\napiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: x}\nfiles: [URL/x]\n", "DIR/g/g.yaml:4: URL/x would be fetched"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			replace := strings.NewReplacer("URL", server.URL)
			dir := unpack(t, replace.Replace(tt.archive))
			_, err := renderPaths(dir)
			checkError(t, err, strings.ReplaceAll(replace.Replace(tt.message), "DIR", dir), "copy it into the release's folder")
		})
	}
}

func TestKustomizeErrors(t *testing.T) {
	tests := []struct{ name, archive, message string }{
		{"no file", "-- kustomization.yaml --\nresources: [absent.yaml]\n", "DIR/kustomization.yaml: this kustomization does not build: accumulating resources"},
		{"unknown field", "-- kustomization.yaml --\nresource: []\n", `does not build: invalid Kustomization: json: unknown field "resource"`},
		{"outside", "-- kustomization.yaml --\nresources: [x]\n-- x/kustomization.yaml --\nresources: [../y.yaml]\n-- y.yaml --\n{apiVersion: v1, kind: A, metadata: {name: a}}\n", "does not build"},
		{"circle", "-- kustomization.yaml --\nresources: [x]\n-- x/kustomization.yaml --\nresources: [..]\n", "does not build"},
		{"helm", "-- kustomization.yaml --\nresources: []\nhelmCharts: [{name: x}]\n", "DIR/kustomization.yaml:2: this kustomization uses Helm charts (helmCharts), which a build does not fetch"},
		{"plugin", "-- kustomization.yaml --\ngenerators: [g.yaml]\n-- g.yaml --\napiVersion: example.com/v1\nkind: X\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: /bin/true}\n", "does not build: "},
		{"no YAML", "-- kustomization.yaml --\nresources: [\n", "DIR/kustomization.yaml:1: this is not valid YAML"},
		{"holds itself", "-- kustomization.yaml --\nresources: &r [*r]\n", "too large by its aliases"},
		{"below a file", "-- kustomization.yaml --\n\nresources: [a.yaml/b.yaml]\n-- a.yaml --\n", "DIR/kustomization.yaml:2: a.yaml/b.yaml cannot be read"},
		{"two files", "-- kustomization.yaml --\nresources: []\n-- kustomization.yml --\nresources: []\n", "does not build: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := unpack(t, tt.archive)
			_, err := renderPaths(dir)
			checkError(t, err, strings.ReplaceAll(tt.message, "DIR", dir), "")
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("several lines: %v", err)
			}
		})
	}
}
