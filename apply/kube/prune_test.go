package kube

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mustPrune expects the dry run to say what pruning then does.
func mustPrune(ctx context.Context, t *testing.T, c *Cluster, prev, keep Inventory, want ...string) []Change {
	t.Helper()
	dry, err := c.prune(ctx, prev.Minus(keep), true)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "the dry run", dry, want...)
	changes, err := c.Prune(ctx, prev, keep)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "prune", changes, want...)
	return changes
}

// createTheirs makes objects as somebody else does.
func createTheirs(ctx context.Context, t *testing.T, c *Cluster, text string) {
	t.Helper()
	objs, err := objects("%s", text).parse()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.learnKinds(ctx, objs); err != nil {
		t.Fatal(err)
	}
	for _, u := range objs {
		if err := c.client.Create(ctx, u, client.FieldOwner("kubectl")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNamespaceThatOthersUse is cli-utils#274 and flux2#1366: the Namespace leaves the release, its content stays, and
// pruning would delete all of it after a success.
func TestNamespaceThatOthersUse(t *testing.T) {
	for name, c := range map[string]struct {
		stays  string // in the release
		theirs string
		marks  string
		want   string
	}{
		"the release itself": {stays: configMap("left-1", "limits", `"1"`), want: "ConfigMap left-1/limits is in it"},
		"somebody else":      {theirs: configMap("left-2", "theirs", `"1"`), want: "ConfigMap left-2/theirs is in it"},
		"whatever is marked": {theirs: configMap("left-3", "theirs", `"1"`), marks: ", annotations: {" + PruneAnnotation + ": enabled}", want: "ConfigMap left-3/theirs is in it"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cluster := t.Context(), newCluster(t)
			ns := strings.Split(strings.Split(c.want, "/")[0], " ")[1]
			head := strings.Replace(namespace(ns), "name: "+ns, "name: "+ns+c.marks, 1)
			inv, _ := mustApply(ctx, t, cluster, objects("%s", head+c.stays), Inventory{})
			if c.theirs != "" {
				createTheirs(ctx, t, cluster, c.theirs)
			}
			id := ID{Version: "v1", Kind: "Namespace", Name: ns}
			changes := mustPrune(ctx, t, cluster, NewInventory(id), Inventory{}, "givenUp Namespace "+ns)
			if !strings.Contains(changes[0].Note, c.want) {
				t.Errorf("note %q, want %q", changes[0].Note, c.want)
			}
			u, err := cluster.get(ctx, id)
			if err != nil || u == nil || u.GetDeletionTimestamp() != nil || u.GetLabels()[OwnerLabel] != "" {
				t.Errorf("the namespace is %v, %v", u, err)
			}
			// A later release may have it again.
			if _, again := mustApply(ctx, t, cluster, objects("%s", head+c.stays), inv); again[0].Action != Configured {
				t.Errorf("again it is %s", again[0].Action)
			}
		})
	}
}

func TestPruneRules(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "rules"
	marked := func(name, mark string) string {
		return strings.Replace(configMap(ns, name, `"1"`), "namespace: "+ns, "namespace: "+ns+", annotations: {"+mark+"}", 1)
	}
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+marked("helm", "helm.sh/resource-policy: keep")+marked("anew", "a: b")+configMap(ns, "gone", `"1"`)), Inventory{})
	// Somebody deletes one and makes it again, label and all, as from a dump.
	id := ID{Version: "v1", Kind: "ConfigMap", Namespace: ns, Name: "anew"}
	u, err := c.get(ctx, id)
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	if err := c.client.Delete(ctx, u); err != nil {
		t.Fatal(err)
	}
	createTheirs(ctx, t, c, strings.Replace(configMap(ns, "anew", `"1"`), "namespace: "+ns, "namespace: "+ns+", labels: {"+OwnerLabel+": store}", 1))
	keep := NewInventory(ID{Version: "v1", Kind: "Namespace", Name: ns})
	changes := mustPrune(ctx, t, c, inv, keep, "givenUp ConfigMap rules/anew", "pruned ConfigMap rules/gone", "kept ConfigMap rules/helm")
	if !strings.Contains(changes[0].Note, "made it anew") || !strings.Contains(changes[2].Note, "helm.sh/resource-policy") {
		t.Errorf("notes: %+v", changes)
	}
}

// TestCustomResourcesGoFirst keeps what may be a controller for as long as a custom resource waits for it.
func TestCustomResourcesGoFirst(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "goes"
	held := strings.Replace(custom("goes", "Widget", ns, "w", "size: big"), "name: w,", "name: w, finalizers: [example.com/cleaner],", 1)
	inv, _ := mustApply(ctx, t, c, objects(namespace(ns)+deployment+crd("goes", "Widget", "size")+"%s", ns, 1, "a", "a", "1", held), Inventory{})
	keep := NewInventory(ID{Version: "v1", Kind: "Namespace", Name: ns})
	hurried := connect(t, shared.Kubeconfig)
	hurried.config.Settle, hurried.config.Hush = time.Second, 100*time.Millisecond
	var told []string
	hurried.config.Waiting = func(text string) { told = append(told, text) }
	changes, err := hurried.Prune(ctx, inv, keep)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "while it is held", changes, "leaving Widget goes/w", "leaving Deployment goes/pick-engine",
		"leaving CustomResourceDefinition widgets.goes.example.com")
	if !strings.Contains(changes[0].Note, "example.com/cleaner") || !strings.Contains(changes[1].Note, "Widget goes/w") {
		t.Errorf("notes: %+v", changes)
	}
	if len(told) != 1 || told[0] != "Widget goes/w is still being deleted (finalizers: example.com/cleaner)" {
		t.Errorf("while it hangs, people are told %q", told)
	}
	u, err := c.get(ctx, changes[0].ID)
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	u.SetFinalizers(nil)
	if err := c.client.Update(ctx, u); err != nil {
		t.Fatal(err)
	}
	changes, err = hurried.Prune(ctx, inv, keep)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "once it is gone", changes, "pruned Deployment goes/pick-engine", "pruned CustomResourceDefinition widgets.goes.example.com")
}

func TestKindGoesWithOthersObjectsOnlyIfToldTwice(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	kind := strings.Replace(crd("twice", "Widget", "size"), "{name: widgets", "{annotations: {"+PruneAnnotation+": enabled}, name: widgets", 1)
	inv, _ := mustApply(ctx, t, c, objects("%s", kind), Inventory{})
	createTheirs(ctx, t, c, custom("twice", "Widget", "default", "theirs", "size: big"))
	foreseen(ctx, t, c, objects("%s", configMap("default", "twice", `"1"`)), inv, "CustomResourceDefinition widgets.twice.example.com", "Widget default/theirs and whatever else")
}

// TestUnreadableIsNotGone is kubernetes#71925: a dead conversion webhook makes a kind's objects unreadable, which is no
// reason to take them for deleted.
func TestUnreadableIsNotGone(t *testing.T) {
	ctx, admin, ns := t.Context(), newCluster(t), "unreadable"
	inv, _ := mustApply(ctx, t, admin, objects("%s", namespace(ns)+crd("unreadable", "Widget", "size")+custom("unreadable", "Widget", ns, "w", "size: big")), Inventory{})
	dead := answer(500, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"conversion webhook for unreadable.example.com/v1, Kind=Widget failed: no endpoints available","code":500}`)
	c := proxied(t, func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/apis/unreadable.example.com/v1/") && dead(w, r)
	})
	changes := mustPrune(ctx, t, c, inv, Inventory{}, "leaving Widget unreadable/w", "leaving CustomResourceDefinition widgets.unreadable.example.com", "leaving Namespace unreadable")
	if !strings.Contains(changes[0].Note, "cannot be read: conversion webhook") {
		t.Errorf("note %q", changes[0].Note)
	}
	// Alone, neither the kind nor the namespace is taken for empty.
	for _, id := range inv.IDs() {
		if id.Kind == "Widget" {
			continue
		}
		changes := mustPrune(ctx, t, c, NewInventory(id), Inventory{}, "leaving "+id.String())
		if !strings.Contains(changes[0].Note, "nobody can tell") {
			t.Errorf("note %q", changes[0].Note)
		}
	}
	var u *unstructured.Unstructured
	for _, id := range inv.IDs() {
		var err error
		if u, err = admin.getAnyVersion(ctx, id); err != nil || u == nil || u.GetDeletionTimestamp() != nil {
			t.Errorf("%s is gone: %v, %v", id, u, err)
		}
	}
}
