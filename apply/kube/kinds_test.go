package kube

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// crd defines a kind in the group GROUP.example.com with the properties given in its spec.
func crd(group, kind string, properties ...string) string {
	var p strings.Builder
	for _, name := range properties {
		fmt.Fprintf(&p, "%s: {type: string, default: none}, ", name)
	}
	return fmt.Sprintf(`---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]ss.%[1]s.example.com}
spec:
  group: %[1]s.example.com
  scope: Namespaced
  names: {kind: %[3]s, plural: %[2]ss, singular: %[2]s}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {%[4]s}}}}}
`, group, strings.ToLower(kind), kind, p.String())
}

func custom(group, kind, ns, name, spec string) string {
	return fmt.Sprintf("---\napiVersion: %s.example.com/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec: {%s}\n",
		group, kind, name, ns, spec)
}

// finalizeNamespace does what the namespace controller does at the end, of which there is none here. It waits until
// somebody deletes the namespace; the test ends after it.
func finalizeNamespace(t *testing.T, name string) {
	c, done := newCluster(t), make(chan error)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- finalize(ctx, c, name) }()
	t.Cleanup(func() {
		defer cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("finalize namespace %s: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("nobody has deleted the namespace %s", name)
		}
	})
}

func finalize(ctx context.Context, c *Cluster, name string) error {
	if err := c.learn(ctx, corev1.SchemeGroupVersion); err != nil {
		return err
	}
	for {
		u, err := c.get(ctx, ID{Version: "v1", Kind: "Namespace", Name: name})
		if err != nil {
			return err
		}
		if u != nil && u.GetDeletionTimestamp() != nil {
			unstructured.RemoveNestedField(u.Object, "spec", "finalizers")
			return c.client.SubResource("finalize").Update(ctx, u)
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func TestFirstInstallWithKindsAndBack(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	want := objects("%s", custom("first", "Widget", "kinds", "w", "size: big")+crd("first", "Widget", "size")+namespace("kinds")+
		"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: runner, namespace: kinds}\n"+
		"---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: kinds}\nspec: {serviceAccountName: runner, containers: [{name: c, image: i}]}\n")

	dry, err := c.DryRun(ctx, want, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "dry run", dry, "created CustomResourceDefinition widgets.first.example.com", "created Namespace kinds",
		"created ServiceAccount kinds/runner", "created Pod kinds/p", "created Widget kinds/w")
	inv, changes := mustApply(ctx, t, c, want, Inventory{})
	expect(t, "apply", changes, brief(dry)...)

	// Pods end by their kubelet, of which there is none here.
	pod, err := c.get(ctx, ID{Version: "v1", Kind: "Pod", Namespace: "kinds", Name: "p"})
	if err != nil || pod == nil {
		t.Fatal(pod, err)
	}
	finalizeNamespace(t, "kinds")
	pruned, err := c.Prune(ctx, inv, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune all", pruned, "pruned Widget kinds/w", "pruned Pod kinds/p", "pruned ServiceAccount kinds/runner",
		"pruned CustomResourceDefinition widgets.first.example.com", "pruned Namespace kinds")
	for _, id := range inv.IDs() {
		if u, err := c.getAnyVersion(ctx, id); err != nil || u != nil {
			t.Errorf("%s is still there: %v", id, err)
		}
	}
	// And once more: the kind and the namespace come again although they went a moment ago.
	inv, changes = mustApply(ctx, t, c, want, Inventory{})
	expect(t, "apply again", changes, brief(dry)...)
	finalizeNamespace(t, "kinds")
	if _, err := c.Prune(ctx, inv, Inventory{}); err != nil {
		t.Fatal(err)
	}
}

func TestKindGetsNewField(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	inv, _ := mustApply(ctx, t, c, objects("%s", crd("grows", "Widget", "size")+custom("grows", "Widget", "default", "w", "size: big")), Inventory{})
	second := objects("%s", crd("grows", "Widget", "size", "colour")+custom("grows", "Widget", "default", "w", "size: big, colour: red"))
	dry, err := c.DryRun(ctx, second, inv)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "dry run", dry, "configured CustomResourceDefinition widgets.grows.example.com", "configured Widget default/w")
	if !strings.Contains(dry[1].Note, "its CustomResourceDefinition comes with this release") {
		t.Errorf("note %q", dry[1].Note)
	}
	_, changes := mustApply(ctx, t, c, second, inv)
	expect(t, "apply", changes, brief(dry)...)
	u, err := c.get(ctx, ID{Group: "grows.example.com", Version: "v1", Kind: "Widget", Namespace: "default", Name: "w"})
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	if colour, _, _ := unstructured.NestedString(u.Object, "spec", "colour"); colour != "red" {
		t.Errorf("spec.colour is %q", colour)
	}
	// A field that no version has stays refused.
	_, _, err = c.Apply(ctx, objects("%s", custom("grows", "Widget", "default", "w", "taste: sweet")), inv)
	if err == nil || !strings.HasSuffix(err.Error(), "Widget default/w: it is not valid: .spec.taste: field not declared in schema") {
		t.Errorf("an unknown field: got %v", err)
	}
}

func TestPruneKeepsWhatStillHoldsSomething(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	want := objects("%s", crd("holds", "Widget", "size")+namespace("holds"))
	inv, _ := mustApply(ctx, t, c, want, Inventory{})
	foreign, err := objects("%s", custom("holds", "Widget", "holds", "theirs", "size: big")).parse()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.learn(ctx, foreign[0].GroupVersionKind().GroupVersion()); err != nil {
		t.Fatal(err)
	}
	if err := c.client.Create(ctx, foreign[0]); err != nil {
		t.Fatal(err)
	}
	pruned, err := c.Prune(ctx, inv, Inventory{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune", pruned, "kept CustomResourceDefinition widgets.holds.example.com", "givenUp Namespace holds")
	for _, p := range pruned {
		if !strings.Contains(p.Note, "Widget holds/theirs is ") {
			t.Errorf("%s: note %q", p.ID, p.Note)
		}
	}
}

func TestNamespaceThatIsBeingDeleted(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	want := objects("%s", namespace("ending")+configMap("ending", "limits", `"1"`))
	inv, _ := mustApply(ctx, t, c, want, Inventory{})
	ns, err := c.get(ctx, ID{Version: "v1", Kind: "Namespace", Name: "ending"})
	if err != nil || ns == nil {
		t.Fatal(ns, err)
	}
	if err := c.client.Delete(ctx, ns); err != nil {
		t.Fatal(err)
	}
	dry, err := c.DryRun(ctx, want, inv)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "dry run", dry, "created Namespace ending", "created ConfigMap ending/limits")
	// Without a namespace controller its content stays, but the namespace itself comes and goes.
	finalizeNamespace(t, "ending")
	_, _ = mustApply(ctx, t, c, want, inv)
	again, err := c.get(ctx, ID{Version: "v1", Kind: "Namespace", Name: "ending"})
	if err != nil || again == nil || again.GetUID() == ns.GetUID() || again.GetDeletionTimestamp() != nil {
		t.Errorf("after apply the namespace is %v, %v", again, err)
	}
}
