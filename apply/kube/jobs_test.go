package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const oneJob = "{apiVersion: batch/v1, kind: Job, metadata: {name: %s, namespace: NS}, spec: {%sbackoffLimit: 1, template: {metadata: {labels: {app: a}}, " +
	"spec: {restartPolicy: Never, containers: [{name: app, image: i}]}}}}\n---\n"

// A Job that has failed fails the trial at once, and names the pod.
func TestFailedJobIsFinal(t *testing.T) {
	const began = `startTime: "2026-01-01T00:00:00Z"`
	for i, tt := range []struct {
		name, conditions, message string
		final                     bool
	}{
		{"runs", "", "Job in progress", false},
		{"gives up", `{type: FailureTarget, status: "True", reason: DeadlineExceeded, message: "Job was active longer than specified deadline"}`,
			"it failed: DeadlineExceeded: Job was active longer than specified deadline", true},
		{"has failed", `{type: FailureTarget, status: "True", reason: BackoffLimitExceeded, message: limit}, {type: Failed, status: "True", reason: BackoffLimitExceeded, message: "Job has reached the specified backoff limit"}`,
			"it failed: BackoffLimitExceeded: Job has reached the specified backoff limit", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSetting(t, fmt.Sprintf("job-%d", i), fmt.Sprintf(oneJob, "migrate", ""))
			id := s.id("batch", "v1", "Job", "migrate")
			status := "{" + began + ", conditions: [" + tt.conditions + "]}"
			s.status(id, status)
			u := s.get(id)
			pod := create(t.Context(), t, s.c, fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: migrate-x, finalizers: [batch.kubernetes.io/job-tracking]}, spec: %s}", unprobed), u)
			pod.SetLabels(map[string]string{"batch.kubernetes.io/controller-uid": string(u.GetUID())})
			must(t, s.c.client.Update(t.Context(), pod))
			s.status(idOf(pod), `{phase: Failed, containerStatuses: [{name: app, image: i, imageID: "", ready: false, restartCount: 0, state: {terminated: {exitCode: 3, message: "no such table"}}}]}`)
			must(t, s.c.client.Delete(t.Context(), pod)) // as the controller does; the finalizer keeps it
			want := InProgress
			if tt.final {
				want = Failed
			}
			if got := s.look(id, want, tt.message, ""); got.Final != tt.final {
				t.Errorf("final is %t", got.Final)
			}
			s.look(id, want, "; pod migrate-x: container app exited with status 3, once: no such table", "")
			pod = s.get(idOf(pod))
			pod.SetFinalizers(nil)
			must(t, s.c.client.Update(t.Context(), pod))
			if !tt.final {
				return
			}
			s.look(id, want, tt.message, "")
			s.event(id, "Normal", "SuccessfulCreate", "Created pod: migrate-x", time.Second)
			s.look(id, want, "; its last pod was migrate-x", "")
			s.event(s.id("", "v1", "Pod", "migrate-x"), "Warning", "BackOff", "Back-off restarting failed container app", time.Second)
			s.look(id, want, "; pod migrate-x: BackOff: Back-off restarting failed container app", "")
		})
	}
}

// A Job that was deleted after its time to live is done, whoever gave it that time, unless it had failed.
func TestDoneJobMayBeGone(t *testing.T) {
	s := newSetting(t, "gone-jobs", "")
	s.want = objects("%s", namespace(s.ns)+fmt.Sprintf(oneJob+oneJob+oneJob+oneJob, "brief", "ttlSecondsAfterFinished: 5, ", "lasting", "", "failed", "ttlSecondsAfterFinished: 0, ", "tidied", ""))
	s.want.YAML = []byte(strings.ReplaceAll(string(s.want.YAML), "NS", s.ns))
	job := func(name string) ID { return s.id("batch", "v1", "Job", name) }
	s.event(job("failed"), "Normal", "Completed", "Job completed", time.Minute) // of an earlier one of its name
	s.event(job("failed"), "Warning", "BackoffLimitExceeded", "Job has reached the specified backoff limit", 0)
	s.event(job("failed"), "Normal", "SuccessfulDelete", "Deleted pod: failed-x", 0)
	s.event(job("tidied"), "Normal", "Completed", "Job completed", 0)
	s.look(job("brief"), Current, "it is done and was deleted after its time to live", "")
	s.look(job("lasting"), NotFound, "it is not there", "")
	s.look(job("tidied"), Current, "it is done and was deleted", "")
	if got := s.look(job("failed"), Failed, "it failed and was deleted: BackoffLimitExceeded: Job has reached", ""); !got.Final {
		t.Error("it is waited for")
	}
}
