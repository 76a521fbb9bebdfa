package kube

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// create makes an object that another controls.
func create(ctx context.Context, t *testing.T, c *Cluster, object string, owner *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(object), &u.Object); err != nil {
		t.Fatal(err)
	}
	if owner != nil {
		u.SetNamespace(owner.GetNamespace())
		u.SetLabels(map[string]string{"app": owner.GetLabels()["app"]})
		u.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())})
	}
	if err := c.client.Create(ctx, u); err != nil {
		t.Fatal(err)
	}
	return u
}

// newPodOf makes a pod, and the ReplicaSet that controls it, as one revision of a Deployment whose pods have the label
// app of the Deployment's selector.
func newPodOf(ctx context.Context, t *testing.T, c *Cluster, deployment ID, name, revision, spec string) ID {
	t.Helper()
	u, err := c.get(ctx, deployment)
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	app, _, _ := unstructured.NestedString(u.Object, "spec", "selector", "matchLabels", "app")
	u.SetLabels(map[string]string{"app": app})
	rs := create(ctx, t, c, fmt.Sprintf("{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: %s, annotations: {%s: %q}}, spec: "+
		"{selector: {matchLabels: {app: %s}}, template: {metadata: {labels: {app: %s}}, spec: %s}}}", name, revisionOfDeploy, revision, app, app, spec), u)
	return idOf(create(ctx, t, c, fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: %s}", name, spec), rs))
}

// elapse moves all that was ever written to an object into the past.
func elapse(ctx context.Context, t *testing.T, c *Cluster, id ID, d time.Duration) {
	t.Helper()
	u, err := c.get(ctx, id)
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	entries := u.GetManagedFields()
	for i := range entries {
		entries[i].Time.Time = entries[i].Time.Add(-d)
	}
	u.SetManagedFields(entries)
	u.SetAnnotations(map[string]string{"moved": time.Now().String()}) // a write of nothing but times is none
	if err := c.client.Update(ctx, u); err != nil {
		t.Fatal(err)
	}
}

const (
	rolledOut = `{observedGeneration: %d, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1, conditions: [
		{type: Progressing, status: "True", reason: NewReplicaSetAvailable}, {type: Available, status: "True"}]}`
	unprobed = "{serviceAccountName: none, containers: [{name: app, image: i}]}"
	runsNow  = `{phase: Running, conditions: [{type: Ready, status: "True"}], containerStatuses: [{name: app, image: i, imageID: "", ready: true,
		restartCount: %d, lastState: {%s}, state: {running: {startedAt: "2001-01-01T00:00:00Z"}}}]}`
)

// TestAvailableIsNotSteady: a Deployment is available for a moment even if its only container exits at once.
func TestAvailableIsNotSteady(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "steady"
	want := objects(namespace(ns)+deployment, ns, 1, "a", "a", "1")
	inv, _ := mustApply(ctx, t, c, want, Inventory{})
	id := inv.IDs()[1]
	look := func(status Status, message string) {
		t.Helper()
		statuses, err := c.Health(ctx, want)
		if err != nil {
			t.Fatal(err)
		}
		if s := statuses[1]; s.ID != id || s.Status != status || !strings.Contains(s.Message, message) {
			t.Errorf("got %+v, want %s with %q", s, status, message)
		}
	}
	u, err := c.get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	u.SetAnnotations(map[string]string{revisionOfDeploy: "2"})
	if err := c.client.Update(ctx, u); err != nil {
		t.Fatal(err)
	}
	setStatus(ctx, t, c, id, fmt.Sprintf(rolledOut, u.GetGeneration()))
	look(Current, "") // no pod that could tell otherwise

	crashing := newPodOf(ctx, t, c, id, "former", "1", unprobed)
	setStatus(ctx, t, c, crashing, fmt.Sprintf(runsNow, 5, "terminated: {exitCode: 1}"))
	create(ctx, t, c, "{apiVersion: v1, kind: Pod, metadata: {name: stranger, namespace: steady, labels: {app: a}}, spec: "+unprobed+"}", nil)
	setStatus(ctx, t, c, ID{Version: "v1", Kind: "Pod", Namespace: ns, Name: "stranger"}, fmt.Sprintf(runsNow, 5, "terminated: {exitCode: 1}"))
	look(Current, "") // these are another revision's and nobody's

	pod := newPodOf(ctx, t, c, id, "a-1", "2", unprobed)
	setStatus(ctx, t, c, pod, fmt.Sprintf(runsNow, 0, ""))
	look(InProgress, "pod a-1: container app has run for ")
	elapse(ctx, t, c, pod, steadyAfter)
	look(Current, "")

	setStatus(ctx, t, c, pod, `{phase: Running, containerStatuses: [{name: app, image: i, imageID: "", ready: false, restartCount: 0,
		state: {terminated: {exitCode: 1, reason: Error, message: "no configuration"}}}]}`)
	look(InProgress, "pod a-1: container app exited with status 1, once: no configuration")
	setStatus(ctx, t, c, pod, fmt.Sprintf(runsNow, 1, `terminated: {exitCode: 1, message: "no configuration"}`))
	elapse(ctx, t, c, pod, steadyAfter)
	look(InProgress, "pod a-1: container app exited with status 1, once: no configuration; it runs again, for ")
	elapse(ctx, t, c, pod, steadyAgain)
	look(Current, "")
}

func TestManyPods(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	mustApply(ctx, t, c, objects("%s", namespace("many")), Inventory{})
	if err := c.learnPods(ctx); err != nil {
		t.Fatal(err)
	}
	rs := create(ctx, t, c, "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, namespace: many, labels: {app: r}}, spec: "+
		"{selector: {matchLabels: {app: r}}, template: {metadata: {labels: {app: r}}, spec: "+unprobed+"}}}", nil)
	for i := range podPage + 1 {
		create(ctx, t, c, fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: r-%03d}, spec: %s}", i, unprobed), rs)
	}
	pods, err := c.pods(ctx, rs, time.Time{})
	if err != nil || len(pods) != podPage+1 {
		t.Errorf("got %d pods, %v; want %d", len(pods), err, podPage+1)
	}
}

func TestBarePodIsSteadyLater(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	want := objects("%s\n---\n{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: bare}, spec: %s}", namespace("bare"), unprobed)
	inv, _ := mustApply(ctx, t, c, want, Inventory{})
	pod := inv.IDs()[1]
	look := func(status Status) {
		t.Helper()
		statuses, err := c.Health(ctx, want)
		if err != nil || statuses[1].Status != status {
			t.Errorf("got %+v, %v; want %s", statuses, err, status)
		}
	}
	setStatus(ctx, t, c, pod, fmt.Sprintf(runsNow, 0, ""))
	look(InProgress)
	elapse(ctx, t, c, pod, steadyAfter)
	look(Current)
	setStatus(ctx, t, c, pod, `{phase: Succeeded}`)
	look(Current)
}

// TestReleaseOfOneDeployment: nothing in it makes the server's other kinds known.
func TestReleaseOfOneDeployment(t *testing.T) {
	ctx, c := t.Context(), newCluster(t)
	mustApply(ctx, t, c, objects("%s", namespace("alone")), Inventory{})
	want := objects(deployment, "alone", 1, "a", "a", "1")
	inv, _ := mustApply(ctx, t, c, want, Inventory{})
	setStatus(ctx, t, c, inv.IDs()[0], fmt.Sprintf(rolledOut, 1))
	pod := newPodOf(ctx, t, c, inv.IDs()[0], "a-1", "", unprobed)
	setStatus(ctx, t, c, pod, fmt.Sprintf(runsNow, 0, ""))
	statuses, err := newCluster(t).Health(ctx, want)
	if err != nil || len(statuses) != 1 || !strings.Contains(statuses[0].Message, "container app has run for ") {
		t.Errorf("got %+v, %v", statuses, err)
	}
}

func TestHasPods(t *testing.T) {
	for version, kinds := range map[string]map[string]bool{
		"v1":       {"Pod": true, "Service": false},
		"apps/v1":  {"Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true},
		"batch/v1": {"Job": true, "CronJob": false},
		"a.b/v1":   {"Deployment": false, "Pod": false},
	} {
		for kind, want := range kinds {
			u := &unstructured.Unstructured{}
			u.SetAPIVersion(version)
			u.SetKind(kind)
			if got := hasPods(u); got != want {
				t.Errorf("%s %s: got %t", version, kind, got)
			}
		}
	}
}
