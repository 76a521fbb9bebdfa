package kube

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// why says what keeps a workload from being well, with the pod's name where there is one: a pod in trouble, pods that are
// not even made, or else the newest pod that is not ready. What may not be read is left out: it explains, it does not
// decide.
func (c *Cluster) why(ctx context.Context, workload *unstructured.Unstructured, pods []pod) string {
	job := isJob(workload)
	if s := worst(pods, job || workload.GetKind() == "Pod"); s != "" {
		return s
	}
	if s := c.noPods(ctx, workload, pods); s != "" {
		return s
	}
	if job && len(pods) == 0 {
		return c.lastPodOf(ctx, workload)
	}
	return c.slowest(ctx, pods)
}

// noPods is the server's own reason why pods of the workload are not made: a quota, an admission plugin, an account that
// is missing.
func (c *Cluster) noPods(ctx context.Context, workload *unstructured.Unstructured, pods []pod) string {
	if int64(len(pods)) >= podsWanted(workload) {
		return ""
	}
	if holds(workload, "ReplicaFailure") {
		return describe("no pod is made: %s", str(condition(workload, "ReplicaFailure")["message"]))
	}
	if c := condition(workload, "Progressing"); c["reason"] == "ReplicaSetCreateError" {
		return describe("no pod is made: %s", str(c["message"]))
	}
	if isDeployment(workload) {
		return "" // its ReplicaSets' failures are its own conditions
	}
	changed := specChanged(workload).Add(-clockSlack)
	e, err := c.newestEvent(ctx, workload.GetNamespace(), "involvedObject.uid="+string(workload.GetUID()), func(e *corev1.Event) bool {
		return isWarning(e) && e.Reason == "FailedCreate" && !happened(e).Before(changed)
	})
	if err != nil || e == nil {
		return ""
	}
	return describe("no pod is made: %s", e.Message)
}

// podsWanted is how many pods the workload is to have at once.
func podsWanted(u *unstructured.Unstructured) int64 {
	switch u.GetKind() {
	case "DaemonSet":
		return scheduled(u).wanted
	case "Job":
		if complete(u) || holds(u, "Failed") {
			return 0
		}
		return min(number(u, 1, "spec", "parallelism"), number(u, 1, "spec", "completions"))
	}
	return number(u, 1, "spec", "replicas")
}

// slowest says of the newest pod that is not ready what was last heard of it.
func (c *Cluster) slowest(ctx context.Context, pods []pod) string {
	i := slices.IndexFunc(pods, func(p pod) bool { return !p.finished() && !p.isReady() })
	if i < 0 {
		return ""
	}
	p := &pods[i]
	e, err := c.newestEvent(ctx, p.Namespace, "involvedObject.uid="+string(p.UID), func(*corev1.Event) bool { return true })
	if err == nil && e != nil && (isWarning(e) || e.Reason == "Pulling") {
		return describe("pod %s: %s: %s", p.Name, e.Reason, e.Message)
	}
	for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		switch {
		case cs.State.Waiting != nil && cs.State.Waiting.Reason != "":
			return describe("pod %s: container %s waits: %s", p.Name, cs.Name, cs.State.Waiting.Reason)
		case cs.State.Running != nil && !cs.Ready && !p.passing(cs.Name):
			return describe("pod %s: container %s runs and is not ready", p.Name, cs.Name)
		}
	}
	return describe("pod %s is not ready", p.Name)
}

// isReady tells whether Kubernetes calls the pod ready.
func (p *pod) isReady() bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
