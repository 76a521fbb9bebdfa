package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const oneContainer = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "example.com/web:1", %s}]}
`

func deploymentWeb(ns string) ID {
	return ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: ns, Name: "web"}
}

func serviceS(ns string) ID { return ID{Version: "v1", Kind: "Service", Namespace: ns, Name: "s"} }

// standsBeside is what others make of an object, and a release that the server would refuse for it.
type standsBeside struct {
	old, next string // NS is the namespace
	id        func(ns string) ID
	edits     []string // strategic merge patches by kubectl-edit
	note      string   // what the dry run says
	stays     []string // differences that the release does not make
}

var besides = map[string]standsBeside{
	// kubernetes#24198, forward: old and new swapped.
	"strategy of the server": {
		old: fmt.Sprintf(strategy, "NS", "", "1"), next: fmt.Sprintf(strategy, "NS", "strategy: {type: Recreate}", "1"), id: deploymentWeb,
		note: "without spec.strategy.rollingUpdate (filled in by the server)",
	},
	// kubernetes#24198, where somebody has set what stands there.
	"strategy of a person": {
		old: fmt.Sprintf(strategy, "NS", "", "1"), next: fmt.Sprintf(strategy, "NS", "strategy: {type: Recreate}", "1"), id: deploymentWeb,
		edits: []string{`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":2}},"minReadySeconds":7}}`},
		note:  "without spec.strategy.rollingUpdate (of kubectl-edit)",
		stays: []string{"spec.minReadySeconds"},
	},
	"value beside valueFrom": {
		old:  fmt.Sprintf(oneContainer, `env: [{name: MODE, value: a}]`),
		next: fmt.Sprintf(oneContainer, `env: [{name: MODE, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]`), id: deploymentWeb,
		edits: []string{`{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"MODE","value":"b"},{"name":"DEBUG","value":"1"}]}]}}}}`},
		note:  "without spec.template.spec.containers[app].env[MODE].value (of kubectl-edit)",
		stays: []string{"spec.template.spec.containers[name=app].env[name=DEBUG]"},
	},
	"two handlers": {
		old:  fmt.Sprintf(oneContainer, `livenessProbe: {periodSeconds: 9, httpGet: {path: /, port: 80}}`),
		next: fmt.Sprintf(oneContainer, `livenessProbe: {periodSeconds: 9, tcpSocket: {port: 80}}`), id: deploymentWeb,
		edits: []string{`{"spec":{"template":{"spec":{"containers":[{"name":"app","livenessProbe":{"failureThreshold":9,"httpGet":{"path":"/live"}}}]}}}}`},
		note:  "without spec.template.spec.containers[app].livenessProbe.httpGet (of kubectl-edit)",
		stays: []string{"livenessProbe.failureThreshold"},
	},
	"limit below what is requested": {
		old:  fmt.Sprintf(oneContainer, `resources: {requests: {cpu: 100m}}`),
		next: fmt.Sprintf(oneContainer, `resources: {requests: {cpu: 300m}}`), id: deploymentWeb,
		edits: []string{`{"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"limits":{"cpu":"200m","memory":"1Gi"}}}]}}}}`},
		note:  "without spec.template.spec.containers[app].resources.limits.cpu (of kubectl-edit)",
		stays: []string{"resources.limits.memory"},
	},
	"surge of nothing": {
		old:  fmt.Sprintf(strategy, "NS", "", "1"),
		next: fmt.Sprintf(strategy, "NS", "strategy: {rollingUpdate: {maxUnavailable: 0}}", "1"), id: deploymentWeb,
		edits: []string{`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0}}}}`},
		note:  "with the default of spec.strategy.rollingUpdate.maxSurge (of kubectl-edit)",
	},
	"ports beside one without a name": {
		old: fmt.Sprintf(service, "NS", "ports: [{port: 80}]"), next: fmt.Sprintf(service, "NS", "ports: [{port: 80, targetPort: 8080}]"), id: serviceS,
		edits: []string{`{"spec":{"sessionAffinity":"ClientIP","ports":[{"$patch":"delete","port":80},{"name":"a","port":82},{"name":"b","port":83}]}}`},
		note:  "without spec.ports[82,TCP] (of kubectl-edit), without spec.ports[83,TCP] (of kubectl-edit)",
		stays: []string{"spec.sessionAffinity"},
	},
	"address of a Service that had none": {
		old:  fmt.Sprintf(service, "NS", "type: ExternalName, externalName: a.example.com"),
		next: fmt.Sprintf(service, "NS", "clusterIP: None"), id: serviceS,
		edits: []string{`{"spec":{"externalName":"b.example.com"}}`},
	},
}

// What stands beside the release's fields and makes them invalid goes, and nothing else does. A rollback brings it back.
func TestApplyBesideWhatOthersSet(t *testing.T) {
	for name, b := range besides {
		t.Run(name, func(t *testing.T) {
			ns := "beside-" + strings.ReplaceAll(strings.ToLower(name), " ", "-")
			id, in := b.id(ns), func(text string) string { return namespace(ns) + strings.ReplaceAll(text, "NS", ns) }
			var before *unstructured.Unstructured
			r := wayBack{
				old: in(b.old), failed: in(b.next), recorded: true,
				hand: func(ctx context.Context, t *testing.T, c *Cluster) {
					for _, patch := range b.edits {
						byHand(id, "kubectl-edit", types.StrategicMergePatchType, patch)(ctx, t, c)
					}
					before = dump(ctx, t, c, NewInventory(id))[id.key()]
					b.foreseen(t, id, mustDryRun(ctx, t, c, objects("%s", in(b.next)), NewInventory(id)))
				},
				later: func(ctx context.Context, t *testing.T, c *Cluster) {
					b.stay(t, before, dump(ctx, t, c, NewInventory(id))[id.key()])
					_, again := mustApply(ctx, t, c, objects("%s", in(b.next)), NewInventory(id))
					expect(t, "the same again", again, "unchanged Namespace "+ns, "unchanged "+id.String())
				},
			}.run(t)
			if len(r.Left) > 0 {
				t.Errorf("left %+v", r.Left)
			}
		})
	}
}

func (b standsBeside) foreseen(t *testing.T, id ID, changes []Change) {
	t.Helper()
	i := slices.IndexFunc(changes, func(c Change) bool { return c.ID == id })
	if i < 0 || changes[i].Action != Configured || changes[i].Note != b.note {
		t.Errorf("dry run: %q; got the note %q, want %q", brief(changes), changes[max(i, 0)].Note, b.note)
	}
}

func (b standsBeside) stay(t *testing.T, before, now *unstructured.Unstructured) {
	t.Helper()
	changed := differences(before, now)
	for _, path := range b.stays {
		if slices.ContainsFunc(changed, func(line string) bool { return strings.Contains(line, path) }) {
			t.Errorf("%s was not in the way, and changed: %q", path, changed)
		}
	}
	if slices.ContainsFunc(now.GetManagedFields(), isPlainWrite) {
		t.Errorf("fields are held by a write that was no apply")
	}
}

// An address that a Service has cannot be taken away: it is refused, and recreated where that is allowed.
func TestApplyServiceLosesItsAddress(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "lostaddress"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+fmt.Sprintf(service, ns, "ports: [{port: 80}]")), Inventory{})
	headless := namespace(ns) + fmt.Sprintf(service, ns, "clusterIP: None, ports: [{port: 80}]")
	dry := mustDryRun(ctx, t, c, objects("%s", headless), inv)
	expect(t, "without force", dry, "unchanged Namespace "+ns, "conflict Service "+ns+"/s")
	if note := dry[1].Note; !strings.Contains(note, "spec.clusterIPs[0] cannot be changed") {
		t.Errorf("note %q", note)
	}
	forced := strings.Replace(headless, "namespace: "+ns+"}", "namespace: "+ns+", annotations: {"+ForceAnnotation+": enabled}}", 1)
	expect(t, "with force", mustDryRun(ctx, t, c, objects("%s", forced), inv), "unchanged Namespace "+ns, "recreated Service "+ns+"/s")
}

// A Service that somebody has made with the ranges of a load balancer is taken over as one without.
func TestApplyTakesOverALoadBalancer(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "wasbalancer"
	byOthers(ctx, t, c, "kubectl-create", namespace(ns)+fmt.Sprintf(service, ns,
		"type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8], allocateLoadBalancerNodePorts: false, ports: [{port: 80, protocol: TCP, targetPort: 80}]"))
	next := objects("%s", namespace(ns)+fmt.Sprintf(service, ns, "type: NodePort, externalTrafficPolicy: Local, ports: [{port: 80}]"))
	inv, changes := mustApply(ctx, t, c, next, Inventory{})
	expect(t, "apply", changes, "configured Namespace "+ns, "configured Service "+ns+"/s")
	u := dump(ctx, t, c, inv)[serviceS(ns).key()]
	if ranges, there, _ := unstructured.NestedStringSlice(u.Object, "spec", "loadBalancerSourceRanges"); there {
		t.Errorf("ranges %q", ranges)
	}
	_, changes = mustApply(ctx, t, c, next, inv)
	expect(t, "the same again", changes, "unchanged Namespace "+ns, "unchanged Service "+ns+"/s")
}

// The port of a health check that a dry run draws is not one that could be had.
func TestApplyTakesOverWithoutAHealthPort(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "healthport"
	balancer := namespace(ns) + fmt.Sprintf(service, ns, "type: LoadBalancer, externalTrafficPolicy: %s, ports: [{port: 80}]")
	byOthers(ctx, t, c, "kubectl-create", fmt.Sprintf(balancer, "Cluster"))
	next := objects("%s", fmt.Sprintf(balancer, "Local"))
	inv, changes := mustApply(ctx, t, c, next, Inventory{})
	expect(t, "apply", changes, "configured Namespace "+ns, "configured Service "+ns+"/s")
	u := dump(ctx, t, c, inv)[serviceS(ns).key()]
	if port, _, _ := unstructured.NestedInt64(u.Object, "spec", "healthCheckNodePort"); port < 30000 || port > 32767 {
		t.Errorf("port %d", port)
	}
	_, changes = mustApply(ctx, t, c, next, inv)
	expect(t, "the same again", changes, "unchanged Namespace "+ns, "unchanged Service "+ns+"/s")
}

// The rules of a kind that the cluster does not come with are kept like its own.
func TestApplyBesideInACustomKind(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "oneofthem"
	kind := strings.NewReplacer(", default: none", "", "spec: {type: object, properties: {a", `spec: {type: object, x-kubernetes-validations: [{rule: "!has(self.a) || !has(self.b)", message: one of them}], properties: {a`).
		Replace(crd("oneof", "Choice", "a", "b", "c"))
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+kind+custom("oneof", "Choice", ns, "x", "a: mine")), Inventory{})
	id := ID{Group: "oneof.example.com", Version: "v1", Kind: "Choice", Namespace: ns, Name: "x"}
	byHand(id, "kubectl-edit", types.MergePatchType, `{"spec":{"a":"theirs","c":"theirs"}}`)(ctx, t, c)
	_, changes := mustApply(ctx, t, c, objects("%s", namespace(ns)+kind+custom("oneof", "Choice", ns, "x", "b: mine")), inv)
	i := slices.IndexFunc(changes, func(c Change) bool { return c.ID == id })
	if i < 0 || changes[i].Note != "without spec.a (of kubectl-edit)" {
		t.Errorf("changes %+v", changes)
	}
	spec, _, _ := unstructured.NestedMap(dump(ctx, t, c, NewInventory(id))[id.key()].Object, "spec")
	if _, there := spec["a"]; there || spec["b"] != "mine" || spec["c"] != "theirs" {
		t.Errorf("spec %v", spec)
	}
}

// An object that made way for another starts again, though something stands beside its fields.
func TestApplyStartsWhatIsMended(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "startsmended"
	inv, _ := mustApply(ctx, t, c, objects("%s", namespace(ns)+fmt.Sprintf(strategy, ns, "", "1")), Inventory{})
	byHand(deploymentWeb(ns), FieldManager, types.MergePatchType,
		`{"metadata":{"annotations":{"`+stoppedAnnotation+`":"{\"spec\":{\"replicas\":3}}"}},"spec":{"replicas":0}}`)(ctx, t, c)
	mustApply(ctx, t, c, objects("%s", namespace(ns)+fmt.Sprintf(strategy, ns, "strategy: {type: Recreate}", "1")), inv)
	u := dump(ctx, t, c, inv)[deploymentWeb(ns).key()]
	n, _, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
	if _, stopped := u.GetAnnotations()[stoppedAnnotation]; stopped || n == 0 {
		t.Errorf("%d replicas, annotations %v", n, u.GetAnnotations())
	}
}

// What is wrong with the release itself costs nobody anything.
func TestApplyInvalidOnItsOwn(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "ownfault"
	in := func(text string) Objects { return objects("%s", namespace(ns)+strings.ReplaceAll(text, "NS", ns)) }
	inv, _ := mustApply(ctx, t, c, in(fmt.Sprintf(oneContainer, "env: []")), Inventory{})
	byHand(deploymentWeb(ns), "kubectl-edit", types.StrategicMergePatchType, `{"spec":{"minReadySeconds":7}}`)(ctx, t, c)
	wrong := in(fmt.Sprintf(oneContainer, "env: [{name: A, value: a, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"))
	expect(t, "dry run", mustDryRun(ctx, t, c, wrong, inv), "unchanged Namespace "+ns, "conflict Deployment "+ns+"/web")
}

func TestStepsOf(t *testing.T) {
	for field, want := range map[string]string{
		"spec":                                "spec",
		"spec.ports[1].name":                  "spec ports 1 name",
		"metadata.annotations[example.com/a]": "metadata annotations example.com/a",
		"spec.a[0][1]":                        "spec a 0 1",
		"spec.a[":                             "spec a ",
		"":                                    "",
	} {
		if got := strings.Join(stepsOf(field), " "); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

func TestSmallest(t *testing.T) {
	for _, tt := range []struct {
		n          int
		needs, got []int
	}{
		{0, nil, nil}, {1, []int{0}, []int{0}}, {1, []int{1}, nil}, {4, []int{2}, []int{2}}, {4, []int{1, 3}, []int{1, 3}}, {3, []int{0, 1, 2}, []int{0, 1, 2}},
	} {
		got := smallest(tt.n, func(some []int) bool {
			return !slices.ContainsFunc(tt.needs, func(i int) bool { return !slices.Contains(some, i) })
		})
		if !slices.Equal(got, tt.got) {
			t.Errorf("of %d, where it takes %v: %v, want %v", tt.n, tt.needs, got, tt.got)
		}
	}
}
