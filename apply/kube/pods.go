package kube

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// podTrouble says what keeps a workload from being ready: an image that cannot be pulled, a container that crashes.
// It is only an addition to what the workload says of itself, so a failure to find out is silence.
func (c *Cluster) podTrouble(ctx context.Context, workload *unstructured.Unstructured) string {
	selector, found, err := unstructured.NestedMap(workload.Object, "spec", "selector")
	if err != nil || !found || workload.GetKind() == "Service" {
		return ""
	}
	var ls metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(selector, &ls); err != nil {
		return ""
	}
	sel, err := metav1.LabelSelectorAsSelector(&ls)
	if err != nil || sel.Empty() {
		return ""
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	err = c.client.List(ctx, list, client.InNamespace(workload.GetNamespace()),
		client.MatchingLabelsSelector{Selector: sel}, client.Limit(100))
	if err != nil {
		return ""
	}
	// The newest pods are those of the release on trial.
	slices.SortFunc(list.Items, func(a, b unstructured.Unstructured) int {
		return b.GetCreationTimestamp().Compare(a.GetCreationTimestamp().Time)
	})
	for i := range list.Items {
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &pod); err != nil {
			continue
		}
		if s := trouble(&pod); s != "" {
			return describe("pod %s: %s", pod.Name, s)
		}
	}
	return ""
}

// trouble says what is wrong with one pod; empty if nothing is.
func trouble(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return ""
	}
	for _, cs := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		switch w, t, last := cs.State.Waiting, cs.State.Terminated, cs.LastTerminationState.Terminated; {
		case w != nil && last != nil && w.Reason == "CrashLoopBackOff":
			return describe("container %s exited with status %d, %d times", cs.Name, last.ExitCode, cs.RestartCount)
		case w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing":
			return describe("container %s: %s: %s", cs.Name, w.Reason, w.Message)
		case t != nil && t.ExitCode != 0:
			return describe("container %s exited with status %d", cs.Name, t.ExitCode)
		}
	}
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
			return describe("it cannot be placed: %s", cond.Message)
		}
	}
	return ""
}
