package kube

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// claim is a PersistentVolumeClaim.
func claim(ns, name, size, more string) string {
	return "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: " + name + ", namespace: " + ns + more + "}\n" +
		"spec: {accessModes: [ReadWriteOnce], storageClassName: local, resources: {requests: {storage: " + size + "}}}\n"
}

// mustDryRun expects the dry run of a release to give changes.
func mustDryRun(ctx context.Context, t *testing.T, c *Cluster, want Objects, prev Inventory) []Change {
	t.Helper()
	changes, err := c.DryRun(ctx, want, prev)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// foreseen expects one change that cannot be undone, because of what why says, and the dry run to allow it if the release
// names the object.
func foreseen(ctx context.Context, t *testing.T, c *Cluster, want Objects, prev Inventory, object, why string) {
	t.Helper()
	var found []Change
	for _, ch := range mustDryRun(ctx, t, c, want, prev) {
		if ch.OneWay != "" {
			found = append(found, ch)
		}
	}
	if len(found) != 1 || found[0].String() != object || !strings.Contains(found[0].OneWay, why) || found[0].Accepted {
		t.Errorf("one-way are %+v, want %s because %q", found, object, why)
		return
	}
	var oneWay *OneWayError
	if err := Refusal("x", found); !errors.As(err, &oneWay) || oneWay.Reason() != "one-way" || !strings.Contains(oneWay.Hint(), "name: "+found[0].Name) {
		t.Errorf("got %v, want a OneWayError", err)
	}
	want.OneWay = []ID{{Kind: found[0].Kind, Namespace: found[0].Namespace, Name: found[0].Name}}
	changes := mustDryRun(ctx, t, c, want, prev)
	if err := Refusal("x", changes); err != nil {
		t.Errorf("although it is accepted: %v", err)
	}
}

func TestClaimThatGrows(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "grows"
	class := "---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: local}\nprovisioner: example.com/local\nallowVolumeExpansion: true\n"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+class+claim(ns, "orders", "1Gi", "")), Inventory{})
	bind(ID{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: ns, Name: "orders"}, "1Gi")(ctx, t, c)
	bigger := objects("%s", namespace(ns)+class+claim(ns, "orders", "2Gi", ""))
	foreseen(ctx, t, c, bigger, inv, "PersistentVolumeClaim grows/orders", "from 1Gi to 2Gi")
	bigger.OneWay = []ID{{Kind: "PersistentVolumeClaim", Namespace: ns, Name: "orders"}}
	_, changes := mustApply(ctx, t, c, bigger, inv)
	expect(t, "accepted", changes, "unchanged Namespace grows", "unchanged StorageClass local", "configured PersistentVolumeClaim grows/orders")
}

// TestForceSparesData is kustomize-controller#734: force deletes and creates on any refusal, and a typing error in a claim
// costs the data.
func TestForceSparesData(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "spares"
	forced := ", annotations: {" + ForceAnnotation + ": enabled}"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+claim(ns, "orders", "1Gi", forced)), Inventory{})
	id := ID{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: ns, Name: "orders"}
	before, err := c.get(ctx, id)
	if err != nil || before == nil {
		t.Fatal(before, err)
	}
	other := objects("%s", namespace(ns)+strings.Replace(claim(ns, "orders", "1Gi", forced), "Name: local", "Name: lokal", 1))
	foreseen(ctx, t, c, other, inv, "PersistentVolumeClaim spares/orders", "its data is lost")
	var refused *RefusedError
	if _, _, err := c.Apply(ctx, other, inv); !errors.As(err, &refused) {
		t.Errorf("apply: %v, want a RefusedError", err)
	}
	left, err := c.Restore(ctx, other, inv, nil)
	if err != nil || len(left.Left) != 1 {
		t.Errorf("a way back that costs the data: %+v, %v", left, err)
	}
	after, err := c.get(ctx, id)
	if err != nil || after == nil || after.GetUID() != before.GetUID() || after.GetDeletionTimestamp() != nil {
		t.Errorf("the claim is another: %v, %v", after, err)
	}
}

func TestStatefulSetThatTakesClaimsAway(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "claims"
	set := func(replicas, policy string) string {
		return "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: " + ns + "}\nspec:\n  replicas: " + replicas +
			"\n  persistentVolumeClaimRetentionPolicy: " + policy + "\n  serviceName: db\n  selector: {matchLabels: {app: db}}\n" +
			"  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: db}]}}\n" +
			"  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]\n"
	}
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+set("3", "{whenScaled: Delete, whenDeleted: Delete}")), Inventory{})
	fewer := objects("%s", namespace(ns)+set("1", "{whenScaled: Delete, whenDeleted: Delete}"))
	foreseen(ctx, t, c, fewer, inv, "StatefulSet claims/db", "from 3 to 1 replicas")
	foreseen(ctx, t, c, objects("%s", namespace(ns)), inv, "StatefulSet claims/db", "its claims go with it")
	for name, more := range map[string]string{"as many": set("3", "{whenScaled: Delete}"), "kept": set("1", "{whenScaled: Retain}")} {
		for _, ch := range mustDryRun(ctx, t, c, objects("%s", namespace(ns)+more), inv) {
			if ch.OneWay != "" {
				t.Errorf("%s: %+v", name, ch)
			}
		}
	}
}

// versions is a kind with the schema of each of its versions; the last is the one that is stored.
func versions(group string, schemas ...string) string {
	head, _, _ := strings.Cut(crd(group, "Till"), "  versions:\n")
	head += "  versions:\n"
	for i, s := range schemas {
		stored := "false"
		if i == len(schemas)-1 {
			stored = "true"
		}
		head += "    - {name: v" + string(rune('1'+i)) + ", served: true, storage: " + stored +
			", schema: {openAPIV3Schema: {type: object, properties: {spec: " + s + "}}}}\n"
	}
	return head
}

func TestStorageVersionThatMoves(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	const s = "{type: object, properties: {size: {type: string}}}"
	inv, _ := mustApply(ctx, t, c, objects("%s", versions("moves", s)), Inventory{})
	foreseen(ctx, t, c, objects("%s", versions("moves", s, s)), inv, "CustomResourceDefinition tills.moves.example.com", "version v2")
	served := strings.NewReplacer("storage: true", "storage: false", "storage: false", "storage: true").Replace(versions("moves", s, s))
	inv, changes := mustApply(ctx, t, c, objects("%s", served), inv)
	expect(t, "a version that is only served", changes, "configured CustomResourceDefinition tills.moves.example.com")
	_, changes = mustApply(ctx, t, c, objects("%s", versions("moves", s, s)), inv)
	expect(t, "a version that was there", changes, "configured CustomResourceDefinition tills.moves.example.com")
}

func TestSchemaThatNarrows(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	wide := "{type: object, properties: {size: {type: string}, extra: {type: object, additionalProperties: {type: string}}, " +
		"rows: {type: array, items: {type: object, properties: {a: {type: string}, b: {type: string}}}}, free: {type: object, x-kubernetes-preserve-unknown-fields: true}}}"
	inv, _ := mustApply(ctx, t, c, objects("%s", versions("narrows", wide)), Inventory{})
	put := func(name, spec string) {
		t.Helper()
		u, err := objects("%s", strings.ReplaceAll(custom("narrows", "Till", "default", name, spec), "kind: Widget", "kind: Till")).parse()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.learn(ctx, u[0].GroupVersionKind().GroupVersion()); err != nil {
			t.Fatal(err)
		}
		if err := c.client.Create(ctx, u[0]); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.client.Delete(context.WithoutCancel(ctx), u[0]) })
	}
	narrow := func(old, new string) Objects {
		t.Helper()
		s := strings.Replace(wide, old, new, 1)
		if s == wide {
			t.Fatal("nothing changes")
		}
		return objects("%s", versions("narrows", s))
	}
	const kind = "CustomResourceDefinition tills.narrows.example.com"
	noB := narrow(", b: {type: string}", "")
	for _, ch := range mustDryRun(ctx, t, c, noB, inv) {
		if ch.OneWay != "" {
			t.Errorf("no object has the field, and still: %+v", ch)
		}
	}
	put("theirs", `rows: [{a: "1"}, {b: "2"}], extra: {x: "1"}, free: {deep: {er: "1"}}`)
	foreseen(ctx, t, c, noB, inv, kind, "no spec.rows[].b, which Till default/theirs holds")
	foreseen(ctx, t, c, narrow(", additionalProperties: {type: string}", ""), inv, kind, "no spec.extra.?")
	foreseen(ctx, t, c, narrow(", x-kubernetes-preserve-unknown-fields: true", ""), inv, kind, "no spec.free.?")
	for _, ch := range mustDryRun(ctx, t, c, narrow("size: {type: string}, ", ""), inv) {
		if ch.OneWay != "" {
			t.Errorf("the object has no size, and still: %+v", ch)
		}
	}
}

// TestMissingRights finds a right that no dry run asks for before anything is touched.
func TestMissingRights(t *testing.T) {
	ctx, admin, ns := t.Context(), newCluster(t), "rights"
	role := func(verbs string) string {
		return "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: till, namespace: " + ns + "}\n" +
			"rules: [{apiGroups: [\"\"], resources: [configmaps], verbs: [" + verbs + "]}]\n" +
			"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: till, namespace: " + ns + "}\n" +
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: till}\nsubjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: till}]\n"
	}
	base := namespace(ns) + role("get, list, create, patch")
	mustApply(ctx, t, admin, Objects{Release: "admin", YAML: []byte(base)}, Inventory{})
	till := connect(t, impersonating(t, "till"))
	inv := NewInventory(ID{Version: "v1", Kind: "ConfigMap", Namespace: ns, Name: "old"})
	mustApply(ctx, t, admin, objects("%s", configMap(ns, "old", `"1"`)), Inventory{})

	changes := mustDryRun(ctx, t, till, objects("%s", configMap(ns, "new", `"1"`)), inv)
	expect(t, "without delete", changes, "conflict ConfigMap rights/new", "conflict ConfigMap rights/old")
	var refused *RefusedError
	if err := Refusal("x", changes); !errors.As(err, &refused) || refused.Reason() != unusable ||
		!strings.Contains(err.Error(), "ConfigMap rights/old: the user of the kubeconfig cannot delete configmaps in the namespace rights") {
		t.Errorf("got %v", err)
	}
	mustApply(ctx, t, admin, Objects{Release: "admin", YAML: []byte(namespace(ns) + role("get, list, create, patch, delete"))}, Inventory{})
	changes = mustDryRun(ctx, t, till, objects("%s", configMap(ns, "new", `"1"`)), inv)
	expect(t, "with all of them", changes, "created ConfigMap rights/new", "pruned ConfigMap rights/old")
}

func TestFieldPaths(t *testing.T) {
	object := map[string]any{"a": map[string]any{"b": []any{map[string]any{"c": "x"}}, "n": nil}}
	for path, want := range map[string]bool{"a": true, "a.b.[].c": true, "a.b.[].d": false, "a.*": true, "a.n": false, "a.?": true, "x.?": false} {
		if got := fieldPath(strings.Split(path, ".")).set(object); got != want {
			t.Errorf("%s is set: %v", path, got)
		}
	}
	if s := (fieldPath{"a", "[]", "c"}).String(); s != "a[].c" {
		t.Errorf("a path prints as %s", s)
	}
}

func TestGrownWithoutSize(t *testing.T) {
	empty := &unstructured.Unstructured{Object: map[string]any{}}
	if why := grown(empty, empty); why != "" {
		t.Error(why)
	}
}

func TestWhatTheWayBackCosts(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "costs"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+configMap(ns, "limits", `"1"`)), Inventory{})
	job := "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: " + ns + "}\n" +
		"spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n"
	changes := mustDryRun(ctx, t, c, objects("%s", namespace(ns)+configMap(ns, "limits", `"2"`)+"immutable: true\n"+job), inv)
	expect(t, "dry run", changes, "unchanged Namespace costs", "configured ConfigMap costs/limits", "created Job costs/migrate")
	if err := Refusal("x", changes); err != nil {
		t.Error(err)
	}
	for i, want := range map[int]string{1: "the way back deletes it and creates it again", 2: "stays when the release goes back"} {
		if !strings.Contains(changes[i].Note, want) {
			t.Errorf("%s: note %q", changes[i].ID, changes[i].Note)
		}
	}
}
