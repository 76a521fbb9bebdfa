package manifest_test

import (
	"os"
	"path/filepath"
	"testing"
)

// What is no text where Kubernetes wants text is refused with its line and field: kubernetes/kubernetes#59113,
// kubernetes/kubectl#660 (labels), and the same slip in every other such field.
func TestRenderRefusesWhatIsNoText(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  "
	deploy := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  "
	tests := []struct{ name, yaml, want string }{
		{"data", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  port: 8080\n", "a.yaml:5: ConfigMap a: data.port is the number 8080, not text"},
		{"empty data", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  port:\n", "a.yaml:5: ConfigMap a: data.port is empty, not text"},
		{"binary data", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nbinaryData: {a: 1}\n", "binaryData.a is the number 1"},
		{"no base64", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  pin: hunter-two\n", "a.yaml:5: Secret a: data.pin is text, not base64"},
		{"list in a secret", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {pin: [hunter-two]}\n", "a.yaml:4: Secret a: data.pin is a list, not text"},
		{"secret", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: yes}\n", "a.yaml:4: Secret a: stringData.a is a boolean, not text"},
		{"args", pod + "containers:\n  - args:\n    - 8080\n", "a.yaml:7: Pod a: spec.containers[0].args[0] is the number 8080"},
		{"command", pod + "initContainers: [{command: [true]}]\n", "spec.initContainers[0].command[0] is the boolean true"},
		{"env", pod + "containers: [{env: [{name: A, value: 1.5}]}]\n", "spec.containers[0].env[0].value is the number 1.5"},
		{"node selector", pod + "nodeSelector: {ssd: on}\n", "spec.nodeSelector.ssd is the boolean true"},
		{"match labels", deploy + "selector: {matchLabels: {a: 1}}\n", "spec.selector.matchLabels.a is the number 1"},
		{"match expressions", deploy + "selector: {matchExpressions: [{key: a, operator: In, values: [1]}]}\n", "matchExpressions[0].values[0] is the number 1"},
		{"template", deploy + "template: {metadata: {labels: {a: 1}}}\n", "spec.template.metadata.labels.a is the number 1"},
		{"annotations of a job's pods", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {jobTemplate: {spec: {template: {metadata: {annotations: {a: false}}}}}}\n",
			"spec.jobTemplate.spec.template.metadata.annotations.a is the boolean false"},
		{"claims", "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a}\nspec: {volumeClaimTemplates: [{metadata: {labels: {a: 1}}}]}\n", "volumeClaimTemplates[0].metadata.labels.a"},
		{"service", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {a: 1}}\n", "spec.selector.a is the number 1"},
		{"parameters", "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: a}\nprovisioner: x\nparameters: {size: 3}\n", "a.yaml:5: StorageClass a: parameters.size is the number 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := renderPaths(unpack(t, "-- a.yaml --\n"+tt.yaml))
			checkError(t, err, tt.want, "")
		})
	}
}

// Numbers stay where Kubernetes takes them, and custom resources are left alone.
func TestRenderTakesNumbers(t *testing.T) {
	render(t, unpack(t, `
-- a.yaml --
apiVersion: v1
kind: Pod
metadata: {name: a, labels: , creationTimestamp: null}
spec:
  containers:
  - name: a
    image: app:1
    env: [{name: A, value: }]
    ports: [{containerPort: 80}]
    livenessProbe: {httpGet: {port: 80}}
    resources: {limits: {cpu: 1, memory: 64Mi}}
---
apiVersion: v1
kind: Secret
metadata: {name: a}
data: {empty: "", one: YQ==, lines: "YWJj\nZGVm\n"}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: a}
spec: {labels: {a: 1}, args: [8080]}
`))
}

// An object that stands there twice is seen whether or not its namespace is written.
func TestRenderTwiceInDefault(t *testing.T) {
	dir := unpack(t, "-- a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n-- b.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default}}\n")
	_, err := renderPaths(dir)
	checkError(t, err, "b.yaml:1: ConfigMap default/a is also in "+dir+"/a.yaml:1", "keep one")
}

// Kustomize reads the first document of what it does not part; the rest must not go without a word.
func TestKustomizeDropsNothing(t *testing.T) {
	object := func(name string) string { return "{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + "}}\n" }
	json := func(name string) string {
		return `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "` + name + `"}}` + "\n"
	}
	kustomization := "-- kustomization.yaml --\nresources: [a.yaml]\n-- a.yaml --\n"
	tests := []struct{ name, archive, want string }{
		{"several values", kustomization + json("a") + json("b"), "a.yaml:2: kustomize does not read ConfigMap b"},
		{"after the end", kustomization + object("a") + "...\n" + object("b"), "a.yaml:3: there is text after the document's end"},
		{"label", kustomization + "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {a: true}}}\n", "a.yaml:1: ConfigMap a: metadata.labels.a is the boolean true"},
		{"patch", "-- kustomization.yaml --\nresources: [a.yaml]\npatches: [{path: p.yaml}]\n-- a.yaml --\n" + object("a") + "---\n" + object("b") +
			"-- p.yaml --\n" + json("a") + json("b"), "p.yaml:2: kustomize does not read ConfigMap b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := renderPaths(unpack(t, tt.archive))
			checkError(t, err, tt.want, "")
		})
	}
	t.Run("UTF-16", func(t *testing.T) {
		dir := unpack(t, kustomization+object("a"))
		wide := []byte{0xFF, 0xFE}
		for _, c := range []byte(object("a") + "---\n" + object("b")) {
			wide = append(wide, c, 0)
		}
		if err := os.WriteFile(filepath.Join(dir, "a.yaml"), wide, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := renderPaths(dir)
		checkError(t, err, "a.yaml:3: kustomize does not read ConfigMap b", "UTF-8")
	})
}
