package kube

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func isJob(u *unstructured.Unstructured) bool {
	return u.GetKind() == "Job" && u.GroupVersionKind().Group == "batch"
}

// judgeJob says of a Job that has failed, or is about to when its pods are gone, why; it never does better.
func judgeJob(live *unstructured.Unstructured, s *ObjectStatus) {
	for _, kind := range []string{"Failed", "FailureTarget"} {
		if holds(live, kind) {
			c := condition(live, kind)
			s.Status, s.Final = Failed, true
			s.Message = describe("it failed: %s: %s", str(c["reason"]), str(c["message"]))
			return
		}
	}
}

// complete tells whether a Job has done its work, or was told not to do it.
func complete(job *unstructured.Unstructured) bool {
	return suspended(job) || holds(job, "Complete")
}

func suspended(job *unstructured.Unstructured) bool {
	b, _, _ := unstructured.NestedBool(job.Object, "spec", "suspend")
	return b
}

func deletesItself(u *unstructured.Unstructured) bool {
	_, ttl, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "ttlSecondsAfterFinished")
	return isJob(u) && ttl
}

// jobFailures are the reasons for which the controller gives a Job up.
var jobFailures = []string{"BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy", "FailedIndexes", "MaxFailedIndexesExceeded"}

// goneJob judges a Job that is not there. One that deletes itself is done, unless its events tell that it failed before it
// went; one that was made to delete itself by somebody else is done if they tell so.
func (c *Cluster) goneJob(ctx context.Context, want *unstructured.Unstructured) ObjectStatus {
	s := ObjectStatus{ID: idOf(want), Status: NotFound, Message: "it is not there"}
	if deletesItself(want) {
		s.Status, s.Message = Current, "it is done and was deleted after its time to live"
	}
	// Where events may not be read, nothing tells otherwise.
	last, err := c.newestEvent(ctx, s.Namespace, "involvedObject.kind=Job,involvedObject.name="+s.Name, func(e *corev1.Event) bool {
		return e.Reason == "Completed" || slices.Contains(jobFailures, e.Reason)
	})
	switch {
	case err != nil || last == nil:
	case last.Reason == "Completed":
		s.Status, s.Message = Current, "it is done and was deleted"
	default:
		s.Status, s.Final, s.Message = Failed, true, describe("it failed and was deleted: %s: %s", last.Reason, last.Message)
	}
	return s
}

// lastPodOf names the last pod of a Job whose pods are gone already, and what was last heard of it.
func (c *Cluster) lastPodOf(ctx context.Context, job *unstructured.Unstructured) string {
	const made = "Created pod: "
	last, err := c.newestEvent(ctx, job.GetNamespace(), "involvedObject.uid="+string(job.GetUID()), func(e *corev1.Event) bool {
		return e.Reason == "SuccessfulCreate" && strings.HasPrefix(e.Message, made)
	})
	if err != nil || last == nil {
		return ""
	}
	name := strings.TrimPrefix(last.Message, made)
	said, err := c.newestEvent(ctx, job.GetNamespace(), "involvedObject.kind=Pod,involvedObject.name="+name, isWarning)
	if err != nil || said == nil {
		return describe("its last pod was %s", name)
	}
	return describe("pod %s: %s: %s", name, said.Reason, said.Message)
}
