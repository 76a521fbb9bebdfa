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
	recorded    bool     // what was there is known
	random      []string // paths whose values may differ, as long as they are there
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
		case !sameContent(b, a) && !w.drawn(differences(b, a)):
			t.Errorf("%s came back different: %q", id, differences(b, a))
		}
		if a != nil && slices.ContainsFunc(a.GetManagedFields(), isPlainWrite) {
			t.Errorf("%s: fields are held by a write that was no apply", id)
		}
	}
	return r
}

// drawn tells that what differs are but values that the server draws.
func (w wayBack) drawn(lines []string) bool {
	return len(lines) > 0 && !slices.ContainsFunc(lines, func(l string) bool {
		return strings.Contains(l, "None") || !slices.ContainsFunc(w.random, func(path string) bool { return strings.HasPrefix(l, path) })
	})
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
				t.Errorf("left: %+v, changed: %+v", r.Left, r.Changes)
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

// The other way round the server fills in as much: forward it has to go, too.
func TestApplyPastWhatTheServerFilledIn(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "filledin"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+fmt.Sprintf(strategy, ns, "replicas: 2", "1")), Inventory{})
	next := objects("%s", namespace(ns)+fmt.Sprintf(strategy, ns, "strategy: {type: Recreate, rollingUpdate: null}", "2"))
	dry, err := c.DryRun(ctx, next, inv)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "dry run", dry, "unchanged Namespace "+ns, "configured Deployment "+ns+"/web")
	_, changes := mustApply(ctx, t, c, next, inv)
	expect(t, "apply", changes, brief(dry)...)
	if note := changes[1].Note; !strings.Contains(note, "without spec.strategy.rollingUpdate (filled in by the server)") {
		t.Errorf("note %q", note)
	}
	u := dump(ctx, t, c, inv)[changes[1].key()]
	if rest, ok, _ := unstructured.NestedMap(u.Object, "spec", "strategy", "rollingUpdate"); ok || slices.ContainsFunc(u.GetManagedFields(), isPlainWrite) {
		t.Errorf("rollingUpdate %v, managed fields %v", rest, u.GetManagedFields())
	}
	if n, _, _ := unstructured.NestedInt64(u.Object, "spec", "replicas"); n != 1 { // what the release no longer sets goes back to the default
		t.Errorf("%d replicas", n)
	}
	_, changes = mustApply(ctx, t, c, next, inv)
	expect(t, "the same again", changes, "unchanged Namespace "+ns, "unchanged Deployment "+ns+"/web")
}

// What others own below a part of the failed release keeps it alive: a container without an image is refused, a probe without
// a handler, too.
func TestRestoreBelowWhatOthersAdded(t *testing.T) {
	bothWays(t, "leaf", func(ns string) wayBack {
		web := ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: ns, Name: "web"}
		old := fmt.Sprintf(strategy, ns, "replicas: 2", "1")
		return wayBack{
			old: namespace(ns) + old,
			failed: namespace(ns) + strings.Replace(old, "{containers: [",
				"{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [a]}]}]}}}, containers: [{name: sidecar, image: s, livenessProbe: {tcpSocket: {port: 80}}}, ", 1),
			later: byHand(web, "kubectl-set", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{
				"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"topologyKey":"a"}}]}},
				"containers":[{"name":"sidecar","livenessProbe":{"periodSeconds":77},"env":[{"name":"DEBUG","value":"1"}]}]}}}}`),
		}
	}, func(t *testing.T, r *Restored) {
		if len(r.Left) > 0 {
			t.Errorf("left %+v", r.Left)
		}
		if i := slices.IndexFunc(r.Changes, func(c Change) bool { return strings.Contains(c.Note, "kubectl-set") }); i < 0 {
			t.Errorf("nobody is named: %+v", r.Changes)
		}
	})
}

const service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: %s}\nspec: {selector: {app: a}, %s}\n"

// A key that was changed by hand makes two entries of one.
func TestRestoreEntriesThatStandTwice(t *testing.T) {
	bothWays(t, "twice", func(ns string) wayBack {
		s := ID{Version: "v1", Kind: "Service", Namespace: ns, Name: "s"}
		web := ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: ns, Name: "web"}
		old := fmt.Sprintf(strategy, ns, "", "1")
		old = strings.Replace(old, "{name: app", "{name: app, ports: [{containerPort: 80, name: w}, {containerPort: 90, name: x}]", 1)
		return wayBack{
			old:    namespace(ns) + fmt.Sprintf(service, ns, "ports: [{name: http, port: 80}, {name: x, port: 9000, targetPort: yy}]") + old,
			failed: namespace(ns) + fmt.Sprintf(service, ns, "ports: [{name: http, port: 80}, {name: x, port: 9000, targetPort: zz}]") + strings.Replace(old, "web:1", "web:2", 1),
			later: func(ctx context.Context, t *testing.T, c *Cluster) {
				byHand(s, "kubectl-edit", types.JSONPatchType, `[{"op":"replace","path":"/spec/ports/0/port","value":81},{"op":"replace","path":"/spec/ports/1/port","value":9001}]`)(ctx, t, c)
				byHand(web, "kubectl-edit", types.JSONPatchType, `[{"op":"replace","path":"/spec/template/spec/containers/0/ports/0/containerPort","value":81},{"op":"replace","path":"/spec/template/spec/containers/0/ports/1/containerPort","value":91}]`)(ctx, t, c)
			},
		}
	}, nil)
}

// Values that the server mirrors, allocates or fills in because of others.
func TestRestoreFieldsThatServersFill(t *testing.T) {
	for name, pair := range map[string][2]string{
		"affinity":    {"", "sessionAffinity: ClientIP, "},
		"headless":    {"clusterIP: None, ", ""},
		"was-normal":  {"", "clusterIP: None, "},
		"nodeport":    {"", "type: NodePort, "},
		"balancer":    {"", "type: LoadBalancer, externalTrafficPolicy: Local, "},
		"from-local":  {"type: LoadBalancer, externalTrafficPolicy: Local, ", ""},
		"external":    {"", "type: ExternalName, externalName: a.example.com, "},
		"internal":    {"", "internalTrafficPolicy: Local, "},
		"publish":     {"publishNotReadyAddresses: true, ", ""},
		"distributed": {"", "trafficDistribution: PreferClose, "},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, "svc-"+name, func(ns string) wayBack {
				text := func(more, target string) string {
					return namespace(ns) + strings.Replace(fmt.Sprintf(service, ns, more+"ports: [{port: 80, targetPort: "+target+"}]"), "{name: s,",
						"{name: s, annotations: {"+ForceAnnotation+": enabled},", 1)
				}
				w := wayBack{old: text(pair[0], "1"), failed: text(pair[1], "2")}
				if !strings.HasSuffix(ns, "true") { // what the server draws at random is known by the record alone
					w.random = []string{"spec.clusterIP", "spec.healthCheckNodePort", "spec.ports[80].nodePort"}
				}
				return w
			}, nil)
		})
	}
}

// Keys of stringData that the failed release added go.
func TestRestoreStringData(t *testing.T) {
	bothWays(t, "stringdata", func(ns string) wayBack {
		secret := "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: " + ns + "}\n"
		return wayBack{
			old:    namespace(ns) + secret + "stringData: {a: one}\ndata: {b: dHdv}\n",
			failed: namespace(ns) + secret + "stringData: {a: two, c: three, d: four}\n",
		}
	}, nil)
}

// A field without anything in it is a field: forward, too.
func TestApplyEmptyFields(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "emptied"
	text := func(v, volume string) Objects {
		s := fmt.Sprintf(strategy, ns, "", v)
		return objects("%s", namespace(ns)+strings.Replace(s, "spec: {containers:", "spec: {volumes: [{name: v, emptyDir: {"+volume+"}}], affinity: {nodeAffinity: {}}, containers:", 1))
	}
	inv, _ := mustApply(ctx, t, c, text("1", "medium: Memory, sizeLimit: 1Mi"), Inventory{})
	_, changes := mustApply(ctx, t, c, text("2", ""), inv)
	expect(t, "apply", changes, "unchanged Namespace "+ns, "configured Deployment "+ns+"/web")
	u := dump(ctx, t, c, inv)[changes[1].key()]
	volumes, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "volumes")
	if fmt.Sprint(volumes) != "[map[emptyDir:map[] name:v]]" {
		t.Errorf("volumes %v", volumes)
	}
	_, changes = mustApply(ctx, t, c, text("2", ""), inv)
	expect(t, "the same again", changes, "unchanged Namespace "+ns, "unchanged Deployment "+ns+"/web")
}
