package kube

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// wayBack is a release, what became of the site, and the way back.
type wayBack struct {
	old, failed string
	// hand is what others do to the objects of the old release, and later to those of the failed one.
	hand, later func(ctx context.Context, t *testing.T, c *Cluster)
	recorded    bool // what was there is known
}

// run applies the old release and the one that fails, and restores the old one. Objects that do not come back equal fail
// the test, except for those that Restore names.
func (w wayBack) run(t *testing.T) *Restored {
	t.Helper()
	ctx, c := t.Context(), newCluster(t)
	old, failed := objects("%s", w.old), objects("%s", w.failed)
	inv, _ := mustApply(ctx, t, c, old, Inventory{})
	if w.hand != nil {
		w.hand(ctx, t, c)
	}
	before := dump(ctx, t, c, inv)
	var record *Record
	if w.recorded {
		record = mustRecord(ctx, t, c, failed, inv)
	}
	next, _ := mustApply(ctx, t, c, failed, inv)
	if w.later != nil {
		w.later(ctx, t, c)
	}
	r, err := c.Restore(ctx, old, inv.Union(next), record)
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	left := NewInventory(idsOf(r.Left)...)
	after := dump(ctx, t, c, inv)
	for _, id := range inv.Minus(left).IDs() {
		b, a := before[id.key()], after[id.key()]
		switch {
		case a == nil:
			t.Errorf("%s is not there", id)
		case !sameContent(b, a):
			t.Errorf("%s came back different: %q", id, differences(b, a))
		}
		if a != nil && slices.ContainsFunc(a.GetManagedFields(), isPlainWrite) {
			t.Errorf("%s: fields are held by a write that was no apply", id)
		}
	}
	return r
}

func mustRecord(ctx context.Context, t *testing.T, c *Cluster, want Objects, prev Inventory) *Record {
	t.Helper()
	var b bytes.Buffer
	if err := c.Record(ctx, want, prev, &b); err != nil {
		t.Fatalf("record: %v", err)
	}
	r, err := ReadRecord(&b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func idsOf(changes []Change) []ID {
	var ids []ID
	for _, c := range changes {
		ids = append(ids, c.ID)
	}
	return ids
}

func dump(ctx context.Context, t *testing.T, c *Cluster, inv Inventory) map[ID]*unstructured.Unstructured {
	t.Helper()
	out := map[ID]*unstructured.Unstructured{}
	for _, id := range inv.IDs() {
		u, err := c.getAnyVersion(ctx, id)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if u != nil {
			out[id.key()] = u
		}
	}
	return out
}

// bothWays runs the way back with and without a record.
func bothWays(t *testing.T, ns string, w func(ns string) wayBack, check func(t *testing.T, r *Restored)) {
	t.Helper()
	for _, recorded := range []bool{true, false} {
		t.Run(fmt.Sprintf("recorded=%v", recorded), func(t *testing.T) {
			one := w(fmt.Sprintf("%s-%v", ns, recorded))
			one.recorded = recorded
			r := one.run(t)
			if check != nil {
				check(t, r)
			} else if len(r.Left) > 0 {
				t.Errorf("left: %+v", r.Left)
			}
		})
	}
}

// byHand does by hand what `kubectl patch --type` does.
func byHand(id ID, manager string, kind types.PatchType, patch string) func(ctx context.Context, t *testing.T, c *Cluster) {
	return func(ctx context.Context, t *testing.T, c *Cluster) {
		t.Helper()
		err := c.client.Patch(ctx, id.object(), client.RawPatch(kind, []byte(patch)), client.FieldOwner(manager))
		if err != nil {
			t.Fatalf("%s by hand: %v", id, err)
		}
	}
}

func action(r *Restored, kind string) Action {
	for _, c := range slices.Concat(r.Changes, r.Left) {
		if c.Kind == kind {
			return c.Action
		}
	}
	return ""
}

// One object that cannot be changed must not keep the others away.
func TestRestoreImmutableConfigMap(t *testing.T) {
	bothWays(t, "immutable", func(ns string) wayBack {
		locked := strings.Replace(configMap(ns, "limits", `"2"`), "\ndata:", "\nimmutable: true\ndata:", 1)
		secret := "---\napiVersion: v1\nkind: Secret\nmetadata: {name: pin, namespace: " + ns + "}\nstringData: {pin: a%s}\n"
		return wayBack{
			old: namespace(ns) + configMap(ns, "limits", `"1"`) + fmt.Sprintf(secret, "1") + "---" + fmt.Sprintf(deployment, ns, 1, "a", "a", "1"),
			failed: namespace(ns) + locked + strings.Replace(fmt.Sprintf(secret, "2, more: gone"), "\nstringData", "\nimmutable: true\nstringData", 1) +
				"---" + fmt.Sprintf(deployment, ns, 1, "a", "a", "2"),
		}
	}, func(t *testing.T, r *Restored) {
		if len(r.Left) > 0 || action(r, "ConfigMap") != Recreated || action(r, "Secret") != Recreated || action(r, "Deployment") != Configured {
			t.Errorf("got %q, left %+v", brief(r.Changes), r.Left)
		}
	})
}

// What force has created again comes back without the annotation in the old release.
func TestRestoreRoleBinding(t *testing.T) {
	bothWays(t, "roleref", func(ns string) wayBack {
		binding := "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b, namespace: " + ns + "%s}\n" +
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %s}\nsubjects: [{kind: ServiceAccount, name: a, namespace: " + ns + "}]\n"
		return wayBack{
			old:    namespace(ns) + fmt.Sprintf(binding, "", "view"),
			failed: namespace(ns) + fmt.Sprintf(binding, ", annotations: {"+ForceAnnotation+": enabled}", "edit"),
		}
	}, func(t *testing.T, r *Restored) {
		if len(r.Left) > 0 || action(r, "RoleBinding") != Recreated {
			t.Errorf("got %q, left %+v", brief(r.Changes), r.Left)
		}
	})
}

const claimText = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: %s, labels: {tier: %s}}\n" +
	"spec: {storageClassName: grows, accessModes: [ReadWriteOnce], resources: {requests: {storage: %s}}}\n"

// A claim that grew stays large, and keeps nobody away.
func TestRestoreClaimThatGrew(t *testing.T) {
	bothWays(t, "grew", func(ns string) wayBack {
		class := "---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: grows}\nprovisioner: none\nallowVolumeExpansion: true\n"
		claim := ID{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: ns, Name: "data"}
		return wayBack{
			old:    namespace(ns) + class + fmt.Sprintf(claimText, ns, "a", "1Gi") + configMap(ns, "z", `"1"`),
			failed: namespace(ns) + class + fmt.Sprintf(claimText, ns, "b", "2Gi") + configMap(ns, "z", `"2"`),
			hand:   bind(claim, "1Gi"),
			later:  bind(claim, "2Gi"),
		}
	}, func(t *testing.T, r *Restored) {
		if len(r.Left) != 1 || r.Left[0].Kind != "PersistentVolumeClaim" || action(r, "ConfigMap") != Configured {
			t.Fatalf("got %q, left %+v", brief(r.Changes), r.Left)
		}
		if note := r.Left[0].Note; !strings.Contains(note, "storage cannot be changed") || !strings.Contains(note, "all else is put back") {
			t.Errorf("note %q", note)
		}
		u, err := newCluster(t).getAnyVersion(t.Context(), r.Left[0].ID)
		if err != nil || u == nil || u.GetLabels()["tier"] != "a" {
			t.Errorf("the rest of the claim: %v, %v", u, err)
		}
	})
}

// bind does what the volume controllers do.
func bind(id ID, size string) func(ctx context.Context, t *testing.T, c *Cluster) {
	return func(ctx context.Context, t *testing.T, c *Cluster) {
		t.Helper()
		u, err := c.getAnyVersion(ctx, id)
		if err != nil || u == nil {
			t.Fatal(u, err)
		}
		_ = unstructured.SetNestedField(u.Object, "pv-"+id.Namespace, "spec", "volumeName")
		if err := c.client.Update(ctx, u, client.FieldOwner("kube-controller-manager")); err != nil {
			t.Fatal(err)
		}
		_ = unstructured.SetNestedField(u.Object, "Bound", "status", "phase")
		_ = unstructured.SetNestedField(u.Object, size, "status", "capacity", "storage")
		if err := c.client.Status().Update(ctx, u, client.FieldOwner("kube-controller-manager")); err != nil {
			t.Fatal(err)
		}
	}
}

const strategy = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %s}
spec:
  %s
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "example.com/web:%s"}]}
`

// kubernetes#24198: Recreate is refused while the rollingUpdate that the server filled in stands beside it.
func TestRestoreStrategy(t *testing.T) {
	bothWays(t, "recreate", func(ns string) wayBack {
		return wayBack{
			old:    namespace(ns) + fmt.Sprintf(strategy, ns, "strategy: {type: Recreate}", "1"),
			failed: namespace(ns) + fmt.Sprintf(strategy, ns, "", "2"),
		}
	}, nil)
}
