package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// byOthers creates objects as a program does that applies them from its own side.
func byOthers(ctx context.Context, t *testing.T, c *Cluster, manager, text string) Inventory {
	t.Helper()
	objs, err := objects("%s", text).parse()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.learnKinds(ctx, objs); err != nil {
		t.Fatal(err)
	}
	for _, u := range objs {
		if err := c.client.Create(ctx, u, client.FieldOwner(manager)); err != nil {
			t.Fatal(err)
		}
	}
	return inventoryOf(objs)
}

func managerNames(u *unstructured.Unstructured) (names []string) {
	for _, f := range u.GetManagedFields() {
		names = append(names, f.Manager+" "+string(f.Operation))
	}
	slices.Sort(names)
	return names
}

const theirs = `---
apiVersion: v1
kind: Secret
metadata: {name: pin, namespace: %[1]s, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"pin":"hunter-one"}}'}}
stringData: {pin: hunter-one, more: "1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: locked, namespace: %[1]s, labels: {team: theirs}}
data: {limit: "1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %[1]s, annotations: {meta.helm.sh/release-name: web, meta.helm.sh/release-namespace: %[1]s}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "example.com/web:1", env: [{name: A, value: "1"}, {name: B, value: "2"}]}]}
`

// What kubectl and Helm have applied is taken over whole, and handed back with its old values and to its old owners.
func TestAdoptedObjectsAreHandedBack(t *testing.T) {
	for _, manager := range []string{"kubectl-client-side-apply", "helm"} {
		t.Run(manager, func(t *testing.T) {
			ctx, c, ns := t.Context(), newCluster(t), "handed-"+manager
			_, _ = mustApply(ctx, t, c, objects("%s", namespace(ns)), Inventory{})
			had := byOthers(ctx, t, c, manager, fmt.Sprintf(theirs, ns))
			before := dump(ctx, t, c, had)
			takes := objects("%s", fmt.Sprintf(`---
apiVersion: v1
kind: Secret
metadata: {name: pin, namespace: %[1]s}
stringData: {pin: hunter-two}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: locked, namespace: %[1]s}
immutable: true
data: {limit: "2"}
`, ns)+fmt.Sprintf(strategy, ns, "strategy: {type: Recreate}", "2"))
			record := mustRecord(ctx, t, c, takes, Inventory{})
			dry, err := c.DryRun(ctx, takes, Inventory{})
			if err != nil {
				t.Fatal(err)
			}
			inv, changes := mustApply(ctx, t, c, takes, Inventory{})
			expect(t, "apply", changes, brief(dry)...)
			for i, ch := range changes {
				if !strings.HasPrefix(ch.Note, "it was there before and is taken over") || !strings.Contains(ch.Note, "with the fields of "+manager) {
					t.Errorf("%s: note %q", ch.ID, ch.Note)
				}
				if !slices.Equal(ch.Fields, dry[i].Fields) {
					t.Errorf("%s: the dry run said %q, not %q", ch.ID, dry[i].Fields, ch.Fields)
				}
			}
			for id, u := range dump(ctx, t, c, had) {
				if got := managerNames(u); !slices.Equal(got, []string{"sallyport Apply"}) {
					t.Errorf("%s is owned by %q", id, got)
				}
				if id.Kind == "Deployment" {
					if n, _, _ := unstructured.NestedInt64(u.Object, "spec", "replicas"); n != 1 {
						t.Errorf("%d replicas of kubectl's are left", n)
					}
				}
				if strings.Contains(fmt.Sprint(u.GetAnnotations()), "hunter") {
					t.Errorf("%s: kubectl's copy is still there", id)
				}
			}
			_, changes = mustApply(ctx, t, c, takes, inv)
			if i := slices.IndexFunc(changes, func(c Change) bool { return c.Action != Unchanged }); i >= 0 {
				t.Errorf("the same again changes %+v", changes[i])
			}

			r, err := c.Restore(ctx, Objects{Release: "store"}, inv, record)
			if err != nil || len(r.Left) > 0 {
				t.Fatalf("restore: %v, left %+v", err, r.Left)
			}
			expect(t, "restore", r.Changes, "recreated ConfigMap "+ns+"/locked", "configured Secret "+ns+"/pin", "configured Deployment "+ns+"/web")
			for id, u := range dump(ctx, t, c, had) {
				if b := before[id]; !sameContent(b, u) || !slices.Equal(managerNames(b), managerNames(u)) {
					t.Errorf("%s came back different: %q, owned by %q", id, differences(b, u), managerNames(u))
				}
			}
			if r, err = c.Restore(ctx, Objects{Release: "store"}, inv, record); err != nil || len(r.Changes)+len(r.Left) > 0 {
				t.Errorf("once more: %v, %+v", err, r)
			}
		})
	}
}
