package kube

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hand is a change that somebody else makes to an object.
type hand struct {
	manager     string
	kind        types.PatchType
	subresource string
	patch       string
}

func editBy(manager, patch string) hand {
	return hand{manager, types.StrategicMergePatchType, "", patch}
}

func (h hand) on(t *testing.T, c *Cluster, id ID) {
	t.Helper()
	var err error
	p, u := client.RawPatch(h.kind, []byte(h.patch)), id.object()
	if h.subresource != "" {
		err = c.client.SubResource(h.subresource).Patch(t.Context(), u, p, client.FieldOwner(h.manager))
	} else {
		err = c.client.Patch(t.Context(), u, p, client.FieldOwner(h.manager))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// driftText is what differs, one line each: "Deployment a/web: spec.replicas: 2 -> 3 (kubectl-edit)".
func driftText(all []Difference) (out []string) {
	for _, d := range all {
		switch {
		case d.Missing:
			out = append(out, d.ID.String()+" is missing")
		case d.Note != "":
			out = append(out, d.ID.String()+": "+d.Note)
		}
		for _, f := range d.Fields {
			out = append(out, d.ID.String()+": "+strings.Join(f.Lines, "|")+" ("+f.Manager+")")
		}
	}
	return out
}

func expectDrift(t *testing.T, c *Cluster, want Objects, lines ...string) {
	t.Helper()
	got, err := c.Drift(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if text := driftText(got); !slices.Equal(text, lines) {
		t.Errorf("drift is\n  %s\nwant\n  %s", strings.Join(text, "\n  "), strings.Join(lines, "\n  "))
	}
}

const shop = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %[1]s, labels: {app: web}, annotations: {example.com/a: b}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {disk: ssd}
      containers:
        - name: web
          image: web:1
          args: [serve, --fast]
          env: [{name: MODE, value: good}]
          ports: [{containerPort: 80}, {containerPort: 81, protocol: UDP}]
          resources: {limits: {cpu: 1000m, memory: 0.5Gi}}
          readinessProbe: {httpGet: {path: /, port: 80}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bare, namespace: %[1]s}
spec:
  selector: {matchLabels: {app: bare}}
  template:
    metadata: {labels: {app: bare}}
    spec: {containers: [{name: bare, image: bare:1}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: %[1]s}
data: {mode: good, file: "a\nb\nc\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: %[1]s}
stringData: {token: hunter-one}
data: {pin: aHVudGVy}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: %[1]s}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: more, port: 81, targetPort: 8081}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: %[1]s}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s-all}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
rules: []
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: %[1]s}
spec:
  ttlSecondsAfterFinished: 60
  template: {spec: {restartPolicy: Never, containers: [{name: once, image: once:1}]}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: %[1]s}
spec: {schedule: "0 1 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: c:1}]}}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: inner, namespace: %[1]s}
spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: %[1]s}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner, namespace: %[1]s}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
  - name: a.example.com
    clientConfig: {url: "https://127.0.0.1:1/", caBundle: ""}
    failurePolicy: Ignore
    sideEffects: None
    admissionReviewVersions: [v1]
    rules: [{apiGroups: [nothing.example.com], apiVersions: [v1], operations: [CREATE], resources: [nothings]}]
`

func shopIn(ns string) Objects { return objects("%s", namespace(ns)+fmt.Sprintf(shop, ns)) }

func shopID(ns, kind, name string) ID {
	id := ID{Version: "v1", Kind: kind, Namespace: ns, Name: name}
	switch kind {
	case "Deployment":
		id.Group = "apps"
	case "Role", "ClusterRole":
		id.Group = "rbac.authorization.k8s.io"
	case "ValidatingWebhookConfiguration":
		id.Group = "admissionregistration.k8s.io"
	case "Job":
		id.Group = "batch"
	}
	if strings.HasPrefix(kind, "Cluster") || kind == "Namespace" || strings.HasPrefix(kind, "Validating") {
		id.Namespace = ""
	}
	return id
}

// What was applied does not differ, and that can be read: the server is not asked what it would do.
func TestNoDriftIsRead(t *testing.T) {
	ns := "driftless"
	var mu sync.Mutex
	var asked []string
	c := proxied(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, r.Method+" "+r.URL.Path)
		}
		return false
	})
	want := shopIn(ns)
	mustApply(t.Context(), t, c, want, Inventory{})
	asked = nil
	expectDrift(t, c, want)
	if len(asked) > 0 {
		t.Errorf("the server was asked:\n  %s", strings.Join(asked, "\n  "))
	}
}

// TestHandEditsAreDrift: what people change, take away and add, rancher/fleet#4878 (kubectl set env) first of all. Each is
// told with its manager, and undone.
func TestHandEditsAreDrift(t *testing.T) {
	for i, tt := range []struct {
		name       string
		kind, of   string
		hand       hand
		wantFields []string
	}{
		{"kubectl set env", "Deployment", "web", editBy("kubectl-set", `{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"DEBUG","value":"1"}]}]}}}}`),
			[]string{`+ spec.template.spec.containers[web].env[DEBUG]: {"name":"DEBUG","value":"1"} (kubectl-set)`}},
		{"kubectl set env where there is none", "Deployment", "bare", editBy("kubectl-set", `{"spec":{"template":{"spec":{"containers":[{"name":"bare","env":[{"name":"DEBUG","value":"1"}]}]}}}}`),
			[]string{`+ spec.template.spec.containers[bare].env: [{"name":"DEBUG","value":"1"}] (kubectl-set)`}},
		{"an image", "Deployment", "web", editBy("kubectl-set", `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`),
			[]string{`spec.template.spec.containers[web].image: web:1 -> web:2 (kubectl-set)`}},
		{"replicas", "Deployment", "web", editBy("kubectl-edit", `{"spec":{"replicas":5}}`), []string{"spec.replicas: 2 -> 5 (kubectl-edit)"}},
		{"kubectl scale", "Deployment", "web", hand{"kubectl", types.MergePatchType, "scale", `{"spec":{"replicas":5}}`}, []string{"spec.replicas: 2 -> 5 (kubectl)"}},
		{"kubectl scale to none", "Deployment", "web", hand{"kubectl", types.MergePatchType, "scale", `{"spec":{"replicas":0}}`}, []string{"spec.replicas: 2 -> 0 ()"}},
		{"a default that was changed", "Deployment", "web", editBy("kubectl-edit", `{"spec":{"revisionHistoryLimit":3}}`), []string{"spec.revisionHistoryLimit: 10 -> 3 (kubectl-edit)"}},
		{"a strategy", "Deployment", "bare", editBy("kubectl-edit", `{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}`), []string{
			`- spec.strategy.rollingUpdate: {"maxSurge":"25%","maxUnavailable":"25%"} ()`, "spec.strategy.type: RollingUpdate -> Recreate (kubectl-edit)"}},
		{"a label of the template", "Deployment", "web", editBy("kubectl-edit", `{"spec":{"template":{"metadata":{"labels":{"more":"x"}}}}}`),
			[]string{"+ spec.template.metadata.labels.more: x (kubectl-edit)"}},
		{"an argument", "Deployment", "web", editBy("kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"web","args":["serve"]}]}}}}`),
			[]string{"- spec.template.spec.containers[web].args[1]: --fast (kubectl-edit)"}},
		{"an env var that goes", "Deployment", "web", editBy("kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"MODE","$patch":"delete"}]}]}}}}`),
			[]string{`- spec.template.spec.containers[web].env: [{"name":"MODE","value":"good"}] ()`}},
		{"a selector of nodes", "Deployment", "web", editBy("kubectl-edit", `{"spec":{"template":{"spec":{"nodeSelector":{"disk":null,"zone":"a"}}}}}`), []string{
			"- spec.template.spec.nodeSelector.disk: ssd (kubectl-edit)", "+ spec.template.spec.nodeSelector.zone: a (kubectl-edit)"}},
		{"a key that comes", "ConfigMap", "settings", editBy("kubectl-edit", `{"data":{"more":"x"}}`), []string{"+ data.more: x (kubectl-edit)"}},
		{"a key that goes", "ConfigMap", "settings", editBy("kubectl-edit", `{"data":{"mode":null}}`), []string{"- data.mode: good ()"}},
		{"a line", "ConfigMap", "settings", editBy("vi", `{"data":{"file":"a\nB\nc\n"}}`), []string{"data.file:|  @@ -1,3 +1,3 @@|   a|  -b|  +B|   c (vi)"}},
		{"binary data", "ConfigMap", "settings", editBy("kubectl-edit", `{"binaryData":{"b":"AAAA"}}`), []string{`+ binaryData: {"b":"AAAA"} (kubectl-edit)`}},
		{"a Secret", "Secret", "token", editBy("kubectl-edit", `{"data":{"token":"aHVudGVyLXR3bw==","more":"aHVudGVy"}}`),
			[]string{"+ data.more: ***** (kubectl-edit)", "data.token: ***** -> ***** (changed) (kubectl-edit)"}},
		{"a port", "Service", "web", editBy("kubectl-edit", `{"spec":{"ports":[{"name":"third","port":82}]}}`),
			[]string{`+ spec.ports[third]: {"name":"third","port":82,"protocol":"TCP","targetPort":82} (kubectl-edit)`}},
		{"a rule", "Role", "reader", hand{"kubectl-edit", types.JSONPatchType, "", `[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}}]`},
			[]string{`+ rules[1]: {"apiGroups":[""],"resources":["secrets"],"verbs":["get"]} (kubectl-edit)`}},
		{"a label and an annotation", "ConfigMap", "settings", editBy("kubectl-label", `{"metadata":{"labels":{"owner":"till"},"annotations":{"example.com/x":"y"}}}`),
			[]string{"+ metadata.annotations[example.com/x]: y (kubectl-label)", "+ metadata.labels.owner: till (kubectl-label)"}},
		{"our own label", "ConfigMap", "settings", editBy("kubectl-label", `{"metadata":{"labels":{"`+OwnerLabel+`":null}}}`),
			[]string{"- metadata.labels[" + OwnerLabel + "]: store ()"}},
		{"a Namespace", "Namespace", "", editBy("kubectl-label", `{"metadata":{"labels":{"injection":"enabled"}}}`), []string{"+ metadata.labels.injection: enabled (kubectl-label)"}},
		{"by force of another manager", "ConfigMap", "settings", hand{"other-tool", types.ApplyYAMLPatchType, "", `{"apiVersion":"v1","kind":"ConfigMap","data":{"mode":"bad","own":"x"}}`},
			[]string{"data.mode: good -> bad (other-tool)", "+ data.own: x (other-tool)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns, c := fmt.Sprintf("drift%d", i), newCluster(t)
			want := shopIn(ns)
			mustApply(t.Context(), t, c, want, Inventory{})
			id := shopID(ns, tt.kind, tt.of)
			if tt.kind == "Namespace" {
				id.Name = ns
			}
			before, err := c.get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if tt.hand.kind == types.ApplyYAMLPatchType {
				u := object(t, tt.hand.patch)
				u.SetNamespace(id.Namespace)
				u.SetName(id.Name)
				if err := c.client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(u), client.ForceOwnership, client.FieldOwner(tt.hand.manager)); err != nil {
					t.Fatal(err)
				}
			} else {
				tt.hand.on(t, c, id)
			}
			var lines []string
			for _, f := range tt.wantFields {
				lines = append(lines, id.String()+": "+f)
			}
			expectDrift(t, c, want, lines...)
			r, err := c.Repair(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "repair", append(r.Changes, r.Left...), "configured "+id.String())
			after, err := c.get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if !sameContent(before, after) {
				t.Errorf("after the repair it is still different:\n  %s", strings.Join(differences(before, after), "\n  "))
			}
			expectDrift(t, c, want)
		})
	}
}

func TestDeletedByHandIsDrift(t *testing.T) {
	ns, c := "driftgone", newCluster(t)
	want := shopIn(ns)
	mustApply(t.Context(), t, c, want, Inventory{})
	for _, id := range []ID{shopID(ns, "ConfigMap", "settings"), shopID(ns, "Deployment", "web"), shopID(ns, "Job", "once")} {
		if err := c.client.Delete(t.Context(), id.object(), client.PropagationPolicy("Background")); err != nil {
			t.Fatal(err)
		}
	}
	expectDrift(t, c, want, "ConfigMap driftgone/settings is missing", "Deployment driftgone/web is missing")
	r, err := c.Repair(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "repair", append(r.Changes, r.Left...), "created ConfigMap driftgone/settings", "created Deployment driftgone/web")
	expectDrift(t, c, want)
}

// What controllers do is no drift, and is not undone.
func TestControllersAreNoDrift(t *testing.T) {
	ns, c := "driftctrl", newCluster(t)
	scaler := `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: bare, namespace: ` + ns + `}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: bare}, maxReplicas: 9, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]}
`
	want := objects("%s", string(shopIn(ns).YAML)+scaler)
	mustApply(t.Context(), t, c, want, Inventory{})
	for _, h := range []struct {
		kind, name string
		hand
	}{
		{"Deployment", "web", hand{"kube-controller-manager", types.MergePatchType, "scale", `{"spec":{"replicas":7}}`}},
		{"Deployment", "web", editBy("kubectl-rollout", `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-11-29T10:00:00Z"}}}}}`)},
		{"Deployment", "web", editBy("kube-controller-manager", `{"metadata":{"annotations":{"deployment.kubernetes.io/revision":"2"}}}`)},
		{"Deployment", "web", editBy("kubectl-annotate", `{"metadata":{"annotations":{"kubernetes.io/change-cause":"a person said so"}}}`)},
		{"Deployment", "bare", editBy("kubectl-edit", `{"spec":{"replicas":3}}`)}, // an autoscaler says how many
		{"ClusterRole", ns + "-all", hand{"clusterrole-aggregation-controller", types.MergePatchType, "", `{"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}`}},
		{"ValidatingWebhookConfiguration", ns, editBy("cert-manager-cainjector", `{"webhooks":[{"name":"a.example.com","clientConfig":{"caBundle":"Q2c9PQ=="}}]}`)},
		{"PersistentVolumeClaim", "data", hand{"kube-controller-manager", types.MergePatchType, "", `{"spec":{"volumeName":"pv-1"},"metadata":{"annotations":{"pv.kubernetes.io/bind-completed":"yes"}}}`}},
		{"ServiceAccount", "runner", hand{"kube-controller-manager", types.MergePatchType, "", `{"secrets":[{"name":"runner-token"}]}`}},
		{"Deployment", "web", hand{"kube-controller-manager", types.MergePatchType, "status", `{"status":{"replicas":1,"observedGeneration":3}}`}},
	} {
		h.on(t, c, shopID(ns, h.kind, h.name))
	}
	expectDrift(t, c, want)
	// Beside a person's edit it stays, and is said.
	web, bare, hook := shopID(ns, "Deployment", "web"), shopID(ns, "Deployment", "bare"), shopID(ns, "ValidatingWebhookConfiguration", ns)
	editBy("kubectl-edit", `{"spec":{"paused":true}}`).on(t, c, web)
	editBy("kubectl-edit", `{"spec":{"paused":true}}`).on(t, c, bare)
	editBy("kubectl-edit", `{"webhooks":[{"name":"a.example.com","timeoutSeconds":3}]}`).on(t, c, hook)
	expectDrift(t, c, want, bare.String()+": + spec.paused: true (kubectl-edit)", web.String()+": + spec.paused: true (kubectl-edit)",
		hook.String()+": webhooks[a.example.com].timeoutSeconds: 10 -> 3 (kubectl-edit)")
	r, err := c.Repair(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "repair", append(r.Changes, r.Left...), "configured "+bare.String(), "configured "+web.String(), "configured "+hook.String())
	if note := r.Changes[1].Note; note != "stays, for it is a controller's: spec.replicas (kube-controller-manager)" {
		t.Errorf("of %s is said %q", web, note)
	}
	expectDrift(t, c, want)
	for still, id := range map[string]ID{"replicas:7": web, restartedAt: web, "replicas:3": bare, "caBundle:Q2c9PQ==": hook} {
		live, err := c.get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(fmt.Sprint(live.Object), still) {
			t.Errorf("%s has lost %s: %v", id, still, live.Object)
		}
	}
}
