//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

const (
	chartNamespace = "charted"
	stepImage      = registry + "/shop/step"
)

// chartFiles is a chart with a definition in crds/, an object of it, and hooks.
var chartFiles = map[string]string{
	"Chart.yaml": "{apiVersion: v2, name: charted, version: 1.0.0, kubeVersion: '>=1.25.0-0'}\n",
	"crds/widget.yaml": `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}, note: {type: string}}}}}}
`,
	"templates/all.yaml": `apiVersion: shop.example.com/v1
kind: Widget
metadata: {name: widget}
spec:
  size: {{ .Values.size }}
  {{- if .Values.note }}
  note: {{ .Values.note }}
  {{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, annotations: {sallyport.dev/wave: "-1"}}
data: {version: {{ .Values.version | quote }}{{ if .Values.note }}, {{ .Values.note }}: "x"{{ end }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  progressDeadlineSeconds: 30
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: server, image: "` + serverImage + `:{{ .Values.version }}", terminationMessagePolicy: FallbackToLogsOnError}]
`,
	"templates/hooks.yaml": `{{ define "step" }}
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .name }}, annotations: {helm.sh/hook: "{{ .events }}"}}
spec:
  backoffLimit: 0
  template: {spec: {restartPolicy: Never, terminationGracePeriodSeconds: 1, containers: [{name: step, terminationMessagePolicy: FallbackToLogsOnError, image: "` + stepImage + `:{{ .mode }}"}]}}
{{ end }}
{{ include "step" (dict "name" "migrate" "events" "pre-install,pre-upgrade" "mode" .Values.migrate) }}
---
{{ include "step" (dict "name" "undo" "events" "post-rollback" "mode" "once") }}
`,
}

// TestChart takes a site through releases of a chart: one that is well, one whose program crashes, one whose hook fails.
func TestChart(t *testing.T) {
	r := newRig(t)
	stop := r.factoryRegistry()
	r.image("pause", pauseName, nil)
	for version, mode := range map[string]string{"1.0.0": "well", "2.0.0": "crash", "3.0.0": "well"} {
		r.image("server", serverImage+":"+version, map[string]string{"version": version, "mode": mode})
	}
	for _, mode := range []string{"once", "crash"} {
		r.image("server", stepImage+":"+mode, map[string]string{"version": "step", "mode": mode})
	}
	for name, text := range chartFiles {
		r.write("chart/"+name, text)
	}
	r.write("namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+chartNamespace+"}\n")
	r.chartRelease("1.0.0", "{version: 1.0.0, size: 1, migrate: once}")
	r.chartRelease("2.0.0", "{version: 2.0.0, size: 2, migrate: once, note: new}")
	r.chartRelease("3.0.0", "{version: 3.0.0, size: 3, migrate: crash}")
	r.sallyport(0, "key", "generate", "--output-key-prefix", "release")
	for i, version := range []string{"1.0.0", "2.0.0", "3.0.0"} {
		args := []string{"build", "-f", "release-" + version + ".yaml", "--key", "release.key", "-o", r.bundle(version)}
		if i > 0 {
			args = append(args, "--base", r.bundle("1.0.0"))
		}
		r.sallyport(0, args...)
	}
	stop()
	r.sallyport(0, "mirror", "config", "--containerd", environment(t, "CONTAINERD_HOSTS"), "--registry", "registry.example.com", "--registry", registry)

	r.sallyport(0, "apply", r.bundle("1.0.0"))
	before := r.chartDump()
	if !strings.Contains(before, `"size":1`) || r.job("migrate") != "Complete" || r.job("undo") != "" {
		t.Fatalf("after the install: migrate %q, undo %q, objects\n%s", r.job("migrate"), r.job("undo"), before)
	}
	first := r.uid("migrate")

	r.sallyport(0, "apply", "--dry-run", r.bundle("2.0.0"))
	r.sallyport(5, "apply", r.bundle("2.0.0"))
	if after := r.chartDump(); after != before {
		t.Errorf("the way back does not lead back:\n%s\nwas\n%s", after, before)
	}
	if r.uid("migrate") == first || r.job("migrate") != "Complete" || r.job("undo") != "Complete" {
		t.Errorf("after the rollback: migrate %q, undo %q", r.job("migrate"), r.job("undo"))
	}

	r.sallyport(5, "apply", r.bundle("3.0.0"))
	if after := r.chartDump(); after != before {
		t.Errorf("a hook that fails leaves changes:\n%s\nwas\n%s", after, before)
	}
	if reason := r.sallyport(0, "status", "--json"); !strings.Contains(reason, "the pre-upgrade hook Job "+chartNamespace+"/migrate: it failed") ||
		!strings.Contains(reason, "server step cannot start") {
		t.Errorf("status does not name the hook and its pod: %s", reason)
	}
}

func (r *rig) chartRelease(version, set string) {
	r.write("release-"+version+".yaml", fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Release
metadata: {name: charted}
spec:
  version: %s
  platforms: [linux/%s]
  images:
    - {name: %s, source: "oci:./images"}
  manifests:
    - path: ./namespace.yaml
    - path: ./chart
      helm: {namespace: %s, kubeVersion: "1.36", set: %s}
  checks:
    - name: pods
      kubernetes: {wait: all}
      timeout: 20s
`, version, runtime.GOARCH, pauseName, chartNamespace, set))
}

// job is the state of a Job: Complete, Failed, or empty.
func (r *rig) job(name string) string {
	r.t.Helper()
	out := r.run(0, "kubectl", "-n", chartNamespace, "get", "job", name, "--ignore-not-found", "-o",
		`jsonpath={.status.conditions[?(@.type=="Complete")].type}{.status.conditions[?(@.type=="Failed")].type}`)
	return strings.TrimSpace(out)
}

func (r *rig) uid(job string) string {
	r.t.Helper()
	return r.run(0, "kubectl", "-n", chartNamespace, "get", "job", job, "-o", "jsonpath={.metadata.uid}")
}

// chartDump is the release's objects without what changes by itself.
func (r *rig) chartDump() string {
	r.t.Helper()
	var list struct{ Items []map[string]any }
	out := r.run(0, "kubectl", "-n", chartNamespace, "get", "deployment/server", "widget/widget", "configmap/settings", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		r.t.Fatal(err)
	}
	for _, o := range list.Items {
		delete(o, "status")
		meta := o["metadata"].(map[string]any)
		for _, field := range []string{"resourceVersion", "generation", "managedFields"} {
			delete(meta, field)
		}
		if notes, ok := meta["annotations"].(map[string]any); ok {
			delete(notes, "deployment.kubernetes.io/revision")
			if len(notes) == 0 {
				delete(meta, "annotations")
			}
		}
	}
	b, err := json.Marshal(list.Items)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}
