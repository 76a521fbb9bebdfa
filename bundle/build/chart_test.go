package build

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// newChartFactory has a chart of the server beside the plain manifests of newFactory.
func newChartFactory(t *testing.T) *factory {
	t.Helper()
	f := newFactory(t, "1.0.0")
	f.write("chart/Chart.yaml", "{apiVersion: v2, name: server, version: 3.1.0+a, kubeVersion: '>=1.25.0-0'}\n")
	f.write("chart/values.yaml", "tag: none\nsecret: \"\"\n")
	f.write("chart/templates/server.yaml", `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec: {containers: [{name: server, image: "`+strings.TrimSuffix(serverName, ":")+`:{{ .Values.tag }}"}]}
`)
	f.write("chart/templates/hook.yaml", `apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: `+toolName+`}]}}}
`)
	f.write("chart/templates/secret.yaml", `{{ if .Values.chance }}
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: {{ randAlphaNum 20 }}}
{{ end }}`)
	return f
}

func (f *factory) chartSpec(path, helm string) {
	f.write("release-1.0.0.yaml", spec("1.0.0", fmt.Sprintf(`  images:
    - {name: %q, source: "oci:./images"}
    - {name: %q, source: "oci:./images"}
  manifests:
    - path: %s
      helm: {namespace: retail, %s}
  requires: {kubernetes: [">=1.20"]}
`, serverName+"1.0.0", toolName, path, helm)))
}

// The images of a chart's output travel, hooks' included, and the release tells of the chart.
func TestChart(t *testing.T) {
	f := newChartFactory(t)
	f.chartSpec("./chart", "set: {tag: 1.0.0}")
	res := f.build(f.config("1.0.0"))
	d := res.Descriptor
	want := []bundle.Chart{{Name: "server", Version: "3.1.0+a", Release: "server", Namespace: "retail",
		Hooks: []bundle.ObjectRef{{Kind: "Job", Namespace: "retail", Name: "migrate"}}}}
	if !reflect.DeepEqual(d.Charts, want) {
		t.Errorf("charts %+v", d.Charts)
	}
	if !reflect.DeepEqual(d.Requires, &bundle.Requires{Kubernetes: []string{">=1.20", ">=1.25.0-0"}}) {
		t.Errorf("requires %+v", d.Requires)
	}
	if len(d.Images) != 2 || d.Manifests.Objects != 2 {
		t.Errorf("%d images, %d objects", len(d.Images), d.Manifests.Objects)
	}
	if again := f.build(f.config("1.0.0")); again.Digest != res.Digest {
		t.Error("the same chart gives another bundle")
	}
	s := site{}
	s.load(t, open(t, res.File))

	// helm/helm#5825: what an upgrade's migration did stays when the release goes back.
	const oneWay = "Job retail/migrate runs at an upgrade"
	if !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.HasPrefix(w, oneWay) }) {
		t.Errorf("warnings %q", res.Warnings)
	}
	f.write("chart/templates/back.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: back, annotations: {helm.sh/hook: 'pre-rollback, post-rollback'}}}")
	if res = f.build(f.config("1.0.0")); strings.Contains(strings.Join(res.Warnings, " "), oneWay) {
		t.Errorf("warned of what a hook undoes: %q", res.Warnings)
	}
}

// A chart from a registry, where stock helm has put it, is the chart of the folder.
func TestChartFromRegistry(t *testing.T) {
	f := newChartFactory(t)
	f.chartSpec("./chart", "set: {tag: 1.0.0}")
	want := f.build(f.config("1.0.0"))
	host := strings.TrimPrefix(testtools.DockerRegistry(t), "http://")
	archive := f.path("server-3.1.0+a.tgz")
	for _, args := range [][]string{{"package", f.path("chart"), "--destination", filepath.Dir(archive)}, {"push", archive, "oci://" + host + "/charts", "--plain-http"}} {
		if out, err := exec.CommandContext(t.Context(), testtools.Helm(t), args...).CombinedOutput(); err != nil {
			t.Fatalf("helm %v: %v\n%s", args, err, out)
		}
	}
	for _, path := range []string{"oci://" + host + "/charts/server:3.1.0+a", "./server-3.1.0+a.tgz"} {
		f.chartSpec(path, "set: {tag: 1.0.0}")
		if got := f.build(f.config("1.0.0")); got.Descriptor.Manifests != want.Descriptor.Manifests {
			t.Errorf("%s gives other objects", path)
		}
	}
	for path, problem := range map[string]string{"/charts/server": "no version is named", "/charts/server:4.0.0": "", "/charts/server@sha256:" + strings.Repeat("0", 64): ""} {
		f.chartSpec("oci://"+host+path, "set: {tag: 1.0.0}")
		if _, err := Run(t.Context(), f.config("1.0.0")); reasonOf(err, "") != "image" || !strings.Contains(err.Error(), problem) || hintOf(err, "") == "" {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// helm/helm#3053: a release cannot have a Secret that is another one with each build.
func TestChartOfChance(t *testing.T) {
	f := newChartFactory(t)
	f.chartSpec("./chart", "set: {tag: 1.0.0, chance: true}")
	_, err := Run(t.Context(), f.config("1.0.0"))
	if reasonOf(err, "") != "manifest" || !strings.Contains(err.Error(), "Secret db: stringData.password is another value each time") {
		t.Errorf("got %v", err)
	}
}
