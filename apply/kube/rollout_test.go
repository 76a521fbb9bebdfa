package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// setting is a release on the shared server of which the test plays the controllers.
type setting struct {
	*testing.T
	c    *Cluster
	want Objects
	ns   string
}

// newSetting applies objects in a namespace of their own.
func newSetting(t *testing.T, ns, yaml string) setting {
	t.Helper()
	s := setting{T: t, c: newCluster(t), ns: ns, want: objects("%s", namespace(ns)+strings.ReplaceAll(yaml, "NS", ns))}
	mustApply(t.Context(), t, s.c, s.want, Inventory{})
	must(t, s.c.learnPods(t.Context()))
	return s
}

func (s setting) id(group, version, kind, name string) ID {
	return ID{Group: group, Version: version, Kind: kind, Namespace: s.ns, Name: name}
}

// get is an object that is there.
func (s setting) get(id ID) *unstructured.Unstructured {
	s.Helper()
	u, err := s.c.get(s.Context(), id)
	if err != nil || u == nil {
		s.Fatal(id, u, err)
	}
	return u
}

// status sets an object's status; GEN in it is the object's generation.
func (s setting) status(id ID, status string) {
	s.Helper()
	setStatus(s.Context(), s.T, s.c, id, strings.ReplaceAll(status, "GEN", fmt.Sprint(s.get(id).GetGeneration())))
}

// pod makes a pod that the owner controls, unchanged for a minute.
func (s setting) pod(owner ID, name, revision, status string) ID {
	s.Helper()
	u := s.get(owner)
	u.SetLabels(map[string]string{"app": "a"})
	create(s.Context(), s.T, s.c, fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: %s}", name, unprobed), u)
	id := s.id("", "v1", "Pod", name)
	if revision != "" {
		p := s.get(id)
		p.SetLabels(map[string]string{"app": "a", "controller-revision-hash": revision})
		must(s.T, s.c.client.Update(s.Context(), p))
	}
	s.status(id, status)
	elapse(s.Context(), s.T, s.c, id, time.Minute)
	return id
}

// event tells of an object, now or so long ago.
func (s setting) event(about ID, kind, reason, message string, ago time.Duration) {
	s.Helper()
	uid := ""
	if u, err := s.c.get(s.Context(), about); err == nil && u != nil {
		uid = string(u.GetUID())
	}
	create(s.Context(), s.T, s.c, fmt.Sprintf("{apiVersion: v1, kind: Event, metadata: {generateName: e-, namespace: %s}, type: %s, reason: %s, "+
		"message: %q, lastTimestamp: %q, involvedObject: {apiVersion: v1, kind: %s, namespace: %s, name: %s, uid: %q}}",
		s.ns, kind, reason, message, time.Now().Add(-ago).UTC().Format(time.RFC3339), about.Kind, s.ns, about.Name, uid), nil)
}

// look wants an object to be of the status, with texts in its message and note; an empty note is wanted to be empty.
func (s setting) look(id ID, status Status, message, note string) ObjectStatus {
	s.Helper()
	statuses, err := s.c.Health(s.Context(), s.want)
	if err != nil {
		s.Fatal(err)
	}
	for _, got := range statuses {
		if got.ID.key() != id.key() {
			continue
		}
		if got.Status != status || !strings.Contains(got.Message, message) || !strings.Contains(got.Note, note) || note == "" && got.Note != "" {
			s.Errorf("got %s %q, note %q; want %s with %q, note %q", got.Status, got.Message, got.Note, status, message, note)
		}
		return got
	}
	s.Fatalf("%s is not among %+v", id, statuses)
	return ObjectStatus{}
}

const (
	podTemplate = "selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: app, image: i}]}}"
	wellPod     = `{phase: Running, conditions: [{type: Ready, status: "True"}], containerStatuses: [{name: app, image: i, imageID: "", ready: true,
		restartCount: 0, state: {running: {startedAt: "2001-01-01T00:00:00Z"}}}]}`
	crashedPod = `{phase: Running, conditions: [{type: Ready, status: "False"}], containerStatuses: [{name: app, image: i, imageID: "", ready: false,
		restartCount: 3, lastState: {terminated: {exitCode: 2, message: "no configuration"}}, state: {waiting: {reason: CrashLoopBackOff}}}]}`
	crashed = ": container app exited with status 2, 4 times: no configuration"
)

// kstatus takes an OnDelete StatefulSet for current whatever its pods do.
func TestStatefulSetOnDelete(t *testing.T) {
	s := newSetting(t, "ondelete-set", "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: NS}, spec: {serviceName: db, replicas: 2, updateStrategy: {type: OnDelete}, "+podTemplate+"}}")
	id := s.id("apps", "v1", "StatefulSet", "db")
	s.look(id, InProgress, "its controller has not seen it yet", "")
	s.pod(id, "db-0", "one", wellPod)
	s.status(id, "{observedGeneration: GEN, replicas: 2, readyReplicas: 1, availableReplicas: 1, updatedReplicas: 0, currentRevision: one, updateRevision: two}")
	broken := s.pod(id, "db-1", "one", crashedPod)
	s.look(id, InProgress, "Ready: 1/2; pod db-1"+crashed, "")
	s.status(broken, wellPod)
	elapse(t.Context(), t, s.c, broken, time.Minute)
	s.status(id, "{observedGeneration: GEN, replicas: 2, readyReplicas: 2, availableReplicas: 2, updatedReplicas: 0, currentRevision: one, updateRevision: two}")
	s.look(id, Current, "Ready: 2/2", "2 of 2 pods keep the template before until somebody deletes them (OnDelete)")
	s.status(id, "{observedGeneration: GEN, replicas: 2, readyReplicas: 2, availableReplicas: 2, updatedReplicas: 2, currentRevision: one, updateRevision: two}")
	s.look(id, Current, "Ready: 2/2", "")
}

// kstatus waits for an OnDelete DaemonSet until somebody has deleted every pod of it.
func TestDaemonSetOnDelete(t *testing.T) {
	s := newSetting(t, "ondelete-daemon", "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: edge, namespace: NS}, spec: {updateStrategy: {type: OnDelete}, "+podTemplate+"}}")
	id := s.id("apps", "v1", "DaemonSet", "edge")
	s.look(id, InProgress, "its controller has not seen it yet", "")
	const counts = "{observedGeneration: GEN, desiredNumberScheduled: 1, currentNumberScheduled: 1, numberMisscheduled: 0, updatedNumberScheduled: 0, "
	pod := s.pod(id, "edge-x", "one", crashedPod)
	s.status(id, counts+"numberReady: 0}")
	s.look(id, InProgress, "Ready: 0/1; pod edge-x"+crashed, "")
	s.status(id, counts+"numberReady: 1, numberAvailable: 1}")
	s.look(id, InProgress, "pod edge-x"+crashed, "OnDelete") // the pod knows better than its controller
	s.status(pod, wellPod)
	elapse(t.Context(), t, s.c, pod, time.Minute)
	s.look(id, Current, "Ready: 1/1", "1 of 1 pods keep the template before until somebody deletes them (OnDelete)")
}

func TestPartitionIsSaid(t *testing.T) {
	s := newSetting(t, "partition", "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: NS}, spec: {serviceName: db, replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}, "+podTemplate+"}}")
	id := s.id("apps", "v1", "StatefulSet", "db")
	s.status(id, "{observedGeneration: GEN, replicas: 3, readyReplicas: 3, availableReplicas: 3, currentReplicas: 2, updatedReplicas: 1, currentRevision: one, updateRevision: two}")
	s.look(id, Current, "", "2 of 3 pods keep the template before (partition: 2)")
}

func TestPausedDeployment(t *testing.T) {
	s := newSetting(t, "paused", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: NS}, spec: {replicas: 1, paused: true, "+podTemplate+"}}")
	id := s.id("apps", "v1", "Deployment", "web")
	const waits = `observedGeneration: GEN, conditions: [{type: Progressing, status: Unknown, reason: DeploymentPaused}]}`
	s.status(id, "{"+waits)
	s.look(id, InProgress, "it is paused (spec.paused), so nothing of it rolls out (Updated: 0/1): kubectl rollout resume deployment/web -n paused", "")
	s.status(id, "{replicas: 1, readyReplicas: 1, availableReplicas: 1, updatedReplicas: 0, "+waits)
	if got := s.look(id, InProgress, "it is paused", ""); got.Final {
		t.Error("somebody may resume it, and nobody waits for that")
	}
	s.status(id, "{replicas: 1, readyReplicas: 1, availableReplicas: 1, updatedReplicas: 1, "+waits)
	s.look(id, Current, "Ready: 1/1", "it is paused")
}

// A deadline that the release set ends the trial. The controller leaves the condition of an earlier template standing
// until it sees progress; and the default is only said.
func TestProgressDeadline(t *testing.T) {
	const web = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: NS}, spec: {replicas: 1, %s"
	const exceeded = `{observedGeneration: GEN, replicas: 1, updatedReplicas: 1, unavailableReplicas: 1, conditions: [
		{type: Progressing, status: "False", reason: ProgressDeadlineExceeded, lastUpdateTime: %q}]}`
	after := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	s := newSetting(t, "deadline", fmt.Sprintf(web, "progressDeadlineSeconds: 20, ")+podTemplate+"}}")
	id := s.id("apps", "v1", "Deployment", "web")
	for _, tt := range []struct {
		name, at string
		final    bool
	}{
		{"of the template before", after(0), false},
		{"of this template", after(20 * time.Second), true},
		{"without a time", "", false},
	} {
		status := fmt.Sprintf(exceeded, tt.at)
		if tt.at == "" {
			status = strings.Replace(status, `, lastUpdateTime: ""`, "", 1)
		}
		s.status(id, status)
		if got := s.look(id, Failed, "Progress deadline exceeded (20 s)", ""); got.Final != tt.final {
			t.Errorf("%s: final is %t", tt.name, got.Final)
		}
	}
	s = newSetting(t, "deadline-default", fmt.Sprintf(web, podTemplate)+"}}")
	id = s.id("apps", "v1", "Deployment", "web")
	s.status(id, fmt.Sprintf(exceeded, after(time.Hour)))
	if got := s.look(id, Failed, "Progress deadline exceeded (600 s)", ""); got.Final {
		t.Error("the server's default ended the trial")
	}
}

func TestFinalEndsAWait(t *testing.T) {
	err := CheckHealth([]ObjectStatus{{Status: Failed}, {Status: InProgress}})
	if unhealthy(t, err).Final() {
		t.Error("what has failed may recover")
	}
	if err = CheckHealth([]ObjectStatus{{Status: InProgress}, {Status: Failed, Final: true}}); !unhealthy(t, err).Final() {
		t.Error("what has failed for good does not end the wait")
	}
	if err := CheckHealth([]ObjectStatus{{Status: Current, Note: "something"}}); err != nil {
		t.Errorf("a note is no failure: %v", err)
	}
}

func unhealthy(t *testing.T, err error) *UnhealthyError {
	t.Helper()
	u, ok := err.(*UnhealthyError) //nolint:errorlint // nothing wraps it
	if !ok {
		t.Fatalf("got %v", err)
	}
	return u
}

// A pod that is not made has no name; the server's own reason is said. A look at an older failure would mislead.
func TestNoPodIsMade(t *testing.T) {
	const quota = `pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0`
	const account = `Error creating: pods "x-" is forbidden: error looking up service account shop/till: serviceaccount "till" not found`
	s := newSetting(t, "nopod", strings.Join([]string{
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: NS}, spec: {replicas: 1, " + podTemplate + "}}",
		"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, namespace: NS}, spec: {replicas: 1, " + podTemplate + "}}",
		"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s, namespace: NS}, spec: {serviceName: s, replicas: 1, " + podTemplate + "}}",
		"{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: e, namespace: NS}, spec: {" + podTemplate + "}}",
		"{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: NS}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: i}]}}}}",
	}, "\n---\n"))
	d, r := s.id("apps", "v1", "Deployment", "d"), s.id("apps", "v1", "ReplicaSet", "r")
	failure := fmt.Sprintf(`{observedGeneration: GEN, replicas: 0, conditions: [{type: ReplicaFailure, status: "True", reason: FailedCreate, message: %q}]}`, quota)
	s.status(d, failure)
	s.status(r, failure)
	s.look(d, InProgress, "no pod is made: "+quota, "")
	s.look(r, InProgress, "no pod is made: "+quota, "")
	s.status(d, `{observedGeneration: GEN, conditions: [{type: Progressing, status: "False", reason: ReplicaSetCreateError, message: "no, says the webhook"}]}`)
	s.look(d, InProgress, "no pod is made: no, says the webhook", "")

	for _, id := range []ID{s.id("apps", "v1", "StatefulSet", "s"), s.id("apps", "v1", "DaemonSet", "e"), s.id("batch", "v1", "Job", "j")} {
		status := "{observedGeneration: GEN, replicas: 0}"
		switch id.Kind {
		case "DaemonSet":
			status = "{observedGeneration: GEN, desiredNumberScheduled: 1, currentNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0}"
		case "Job":
			status = "{active: 0}"
		}
		s.status(id, status)
		s.event(id, "Warning", "FailedCreate", "long over", time.Hour)
		s.event(id, "Normal", "SuccessfulCreate", "create Pod", 0)
		if got := s.look(id, InProgress, "", ""); strings.Contains(got.Message, "no pod is made") {
			t.Errorf("an old failure is told: %+v", got)
		}
		s.event(id, "Warning", "FailedCreate", account, 0)
		s.look(id, InProgress, "no pod is made: "+account, "")
	}
}

// Every workload that is not well names a pod and why, also where no container tells.
func TestSlowestPodIsNamed(t *testing.T) {
	s := newSetting(t, "slowest", "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: NS}, spec: {serviceName: db, replicas: 1, "+podTemplate+"}}")
	id := s.id("apps", "v1", "StatefulSet", "db")
	s.status(id, "{observedGeneration: GEN, replicas: 1}")
	pod := s.pod(id, "db-0", "one", `{phase: Pending, containerStatuses: [{name: app, image: i, imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}]}`)
	s.look(id, InProgress, "pod db-0: container app waits: ContainerCreating", "")
	s.event(pod, "Warning", "FailedMount", `MountVolume.SetUp failed for volume "c": configmap "settings" not found`, 0)
	s.look(id, InProgress, `pod db-0: FailedMount: MountVolume.SetUp failed for volume "c": configmap "settings" not found`, "")
	s.event(pod, "Normal", "Started", "Started container app", -time.Minute)
	s.status(pod, `{phase: Running, containerStatuses: [{name: app, image: i, imageID: "", ready: false, restartCount: 0, state: {running: {}}}]}`)
	s.look(id, InProgress, "pod db-0: container app runs and is not ready", "")
	s.status(pod, `{phase: Pending}`)
	s.look(id, InProgress, "pod db-0 is not ready", "")
}

func TestFailedPodIsFinal(t *testing.T) {
	s := newSetting(t, "failedpod", "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: NS}, spec: "+unprobed+"}")
	id := s.id("", "v1", "Pod", "p")
	s.status(id, `{phase: Failed, containerStatuses: [{name: app, image: i, imageID: "", ready: false, restartCount: 0, state: {terminated: {exitCode: 7}}}]}`)
	if got := s.look(id, Failed, "pod p: container app exited with status 7, once", ""); !got.Final {
		t.Error("it is waited for")
	}
	s.status(id, crashedPod)
	if got := s.look(id, Failed, "pod p"+crashed, ""); got.Final {
		t.Error("one that crashes may come up yet")
	}
}
