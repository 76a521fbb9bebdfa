package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// setStatus does what controllers and kubelets do, of which there are none here.
func setStatus(ctx context.Context, t *testing.T, c *Cluster, id ID, status string) {
	t.Helper()
	u, err := c.get(ctx, id)
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	var m map[string]any
	if err := yaml.Unmarshal([]byte(status), &m); err != nil {
		t.Fatal(err)
	}
	u.Object["status"] = m
	if err := c.client.Status().Update(ctx, u); err != nil {
		t.Fatal(err)
	}
}

func TestHealthOfRollout(t *testing.T) {
	ctx, c, ns := t.Context(), newCluster(t), "health"
	want := objects(namespace(ns)+deployment, ns, 1, "a", "a", "1")
	inv, _ := mustApply(ctx, t, c, want, Inventory{})
	id := inv.IDs()[1]

	look := func(status Status, message string) {
		t.Helper()
		statuses, err := c.Health(ctx, want)
		if err != nil {
			t.Fatal(err)
		}
		if len(statuses) != 2 || statuses[0].Status != Current {
			t.Fatalf("got %+v, want a namespace that is current and a deployment", statuses)
		}
		if s := statuses[1]; s.ID != id || s.Status != status || !strings.Contains(s.Message, message) {
			t.Errorf("got %+v, want %s with %q", s, status, message)
		}
		if err := CheckHealth(statuses); (err == nil) != (status == Current) {
			t.Errorf("CheckHealth of %s: %v", status, err)
		}
	}
	look(InProgress, "Replicas: 0/1")

	// A pod of it that cannot get its image, then crashes.
	pod := newPodOf(ctx, t, c, id, "a-1", "", "{serviceAccountName: none, containers: [{name: app, image: i}]}")
	setStatus(ctx, t, c, pod, `{phase: Pending, containerStatuses: [{name: app, image: i, imageID: "", ready: false, restartCount: 0,
		state: {waiting: {reason: ImagePullBackOff, message: "not found: i"}}}]}`)
	look(InProgress, "pod a-1: container app: ImagePullBackOff: not found: i")
	setStatus(ctx, t, c, pod, `{phase: Running, containerStatuses: [{name: app, image: i, imageID: "", ready: false, restartCount: 3,
		lastState: {terminated: {exitCode: 2}}, state: {waiting: {reason: CrashLoopBackOff}}}]}`)
	look(InProgress, "pod a-1: container app exited with status 2, 4 times")
	setStatus(ctx, t, c, pod, `{phase: Running, containerStatuses: [{name: app, image: i, imageID: "", ready: true, restartCount: 0,
		state: {running: {}}}]}`)
	elapse(ctx, t, c, pod, time.Minute)

	ready := `{observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1, conditions: [
		{type: Progressing, status: "True", reason: NewReplicaSetAvailable}, {type: Available, status: "True"}]}`
	done := make(chan error)
	go func() { done <- c.Wait(ctx, want, 10*time.Millisecond) }()
	setStatus(ctx, t, c, id, ready)
	if err := <-done; err != nil {
		t.Errorf("Wait: %v", err)
	}
	look(Current, "")

	// A new version is not healthy by the old one's status.
	want = objects(namespace(ns)+deployment, ns, 1, "a", "a", "2")
	mustApply(ctx, t, c, want, inv)
	look(InProgress, "generation is 2, but latest observed generation is 1")
	setStatus(ctx, t, c, id, `{observedGeneration: 2, replicas: 1, conditions: [
		{type: Progressing, status: "False", reason: ProgressDeadlineExceeded}]}`)
	look(Failed, "Progress deadline exceeded")

	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	var unhealthy *UnhealthyError
	if err := c.Wait(short, want, time.Second); !errors.As(err, &unhealthy) || unhealthy.Permanent() {
		t.Errorf("Wait in vain: got %v, want an UnhealthyError that is not permanent", err)
	}
	missing := objects("%s", configMap(ns, "missing", "x"))
	statuses, err := c.Health(ctx, missing)
	if err != nil || len(statuses) != 1 || statuses[0].Status != NotFound {
		t.Errorf("an object that is not there: %+v, %v", statuses, err)
	}
}

func TestCompute(t *testing.T) {
	for _, tt := range []struct {
		name, object string
		want         Status
	}{
		{"job that runs", "{apiVersion: batch/v1, kind: Job, status: {startTime: x, active: 1}}", InProgress},
		{"job that is complete", "{apiVersion: batch/v1, kind: Job, status: {startTime: x, conditions: [{type: Complete, status: 'True'}]}}", Current},
		{"job that failed", "{apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Failed, status: 'True'}]}}", Failed},
		{"job that is suspended", "{apiVersion: batch/v1, kind: Job, spec: {suspend: true}, status: {startTime: x}}", Current},
		{"job that was made suspended", "{apiVersion: batch/v1, kind: Job, spec: {suspend: true}, status: {conditions: [{type: Suspended, status: 'True'}]}}", Current},
		{"job that failed before it was suspended", "{apiVersion: batch/v1, kind: Job, spec: {suspend: true}, status: {conditions: [{type: Failed, status: 'True'}]}}", Failed},
		{"pod that failed", "{apiVersion: v1, kind: Pod, status: {phase: Failed}}", Failed},
		{"pod that succeeded", "{apiVersion: v1, kind: Pod, status: {phase: Succeeded}}", Current},
		{"pod of an unknown phase", "{apiVersion: v1, kind: Pod, status: {phase: Dancing}}", InProgress},
		{"object with a Ready condition", "{apiVersion: a/v1, kind: K, status: {conditions: [{type: Ready, status: 'False'}]}}", InProgress},
		{"object without a status", "{apiVersion: a/v1, kind: K}", Current},
		{"object that is being deleted", "{apiVersion: v1, kind: ConfigMap, metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}}", Terminating},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var u unstructured.Unstructured
			if err := yaml.Unmarshal([]byte(tt.object), &u.Object); err != nil {
				t.Fatal(err)
			}
			u.SetName("x")
			if got := compute(&u); got.Status != tt.want {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}
