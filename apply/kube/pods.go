package kube

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	podPage          = 100 // pods in one answer
	revisionOfDeploy = "deployment.kubernetes.io/revision"
)

// pod is a pod as it was at one look.
type pod struct {
	corev1.Pod
	quiet time.Duration // how long its status has not changed
	timed bool          // quiet is known
}

// hasPods tells whether an object of this kind runs pods of its own.
func hasPods(u *unstructured.Unstructured) bool {
	kinds := map[string][]string{
		"apps":  {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"},
		"batch": {"Job"},
		"":      {"Pod"},
	}
	return slices.Contains(kinds[u.GroupVersionKind().Group], u.GetKind())
}

// learnPods makes the mapper know what pods asks for, whatever kinds a release has.
func (c *Cluster) learnPods(ctx context.Context) error {
	for _, gvk := range []schema.GroupVersionKind{corev1.SchemeGroupVersion.WithKind("Pod"), appsv1.SchemeGroupVersion.WithKind("ReplicaSet")} {
		if c.knows(gvk) {
			continue
		}
		if err := c.learn(ctx, gvk.GroupVersion()); err != nil {
			return err
		}
	}
	return nil
}

// pods lists what a workload runs, the newest first: the pods that it controls and that are not on their way out. Of a
// Deployment they are those of the current revision; of a Job those on their way out, too, which is where one that fails
// sends them. A Pod's only pod is itself, as it was at the server's time now.
func (c *Cluster) pods(ctx context.Context, workload *unstructured.Unstructured, now time.Time) ([]pod, error) {
	if workload.GetKind() == "Pod" {
		p, err := newPod(workload, now)
		return []pod{p}, err
	}
	sel, err := selector(workload)
	if err != nil || sel.Empty() {
		return nil, err
	}
	owners, err := c.podOwners(ctx, workload, sel)
	if err != nil {
		return nil, err
	}
	var pods []pod
	err = c.list(ctx, "v1", "PodList", func(u *unstructured.Unstructured, now time.Time) error {
		if !controlled(u, owners) || u.GetDeletionTimestamp() != nil && !isJob(workload) {
			return nil
		}
		p, err := newPod(u, now)
		pods = append(pods, p)
		return err
	}, client.InNamespace(workload.GetNamespace()), client.MatchingLabelsSelector{Selector: sel})
	slices.SortStableFunc(pods, func(a, b pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return pods, err
}

func selector(workload *unstructured.Unstructured) (labels.Selector, error) {
	m, _, err := unstructured.NestedMap(workload.Object, "spec", "selector")
	if err != nil {
		return nil, err
	}
	var ls metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m, &ls); err != nil {
		return nil, err
	}
	return metav1.LabelSelectorAsSelector(&ls)
}

// podOwners are the objects that control the workload's pods: itself, or the ReplicaSets of a Deployment's current
// revision.
func (c *Cluster) podOwners(ctx context.Context, workload *unstructured.Unstructured, sel labels.Selector) ([]types.UID, error) {
	self := []types.UID{workload.GetUID()}
	if workload.GetKind() != "Deployment" {
		return self, nil
	}
	var owners []types.UID
	revision := workload.GetAnnotations()[revisionOfDeploy]
	err := c.list(ctx, "apps/v1", "ReplicaSetList", func(u *unstructured.Unstructured, _ time.Time) error {
		if controlled(u, self) && u.GetAnnotations()[revisionOfDeploy] == revision {
			owners = append(owners, u.GetUID())
		}
		return nil
	}, client.InNamespace(workload.GetNamespace()), client.MatchingLabelsSelector{Selector: sel})
	return owners, err
}

func controlled(u *unstructured.Unstructured, owners []types.UID) bool {
	ref := metav1.GetControllerOf(u)
	return ref != nil && slices.Contains(owners, ref.UID)
}

// list calls each for every object that the options choose, with the server's time.
func (c *Cluster) list(ctx context.Context, version, kind string, each func(*unstructured.Unstructured, time.Time) error,
	choose ...client.ListOption,
) error {
	for next := ""; ; {
		var now time.Time
		page := &unstructured.UnstructuredList{}
		page.SetAPIVersion(version)
		page.SetKind(kind)
		err := c.client.List(withDate(ctx, &now), page, append(slices.Clone(choose), client.Limit(podPage), client.Continue(next))...)
		if err != nil {
			return err
		}
		for i := range page.Items {
			if err := each(&page.Items[i], now); err != nil {
				return err
			}
		}
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}

func newPod(u *unstructured.Unstructured, now time.Time) (p pod, err error) {
	p.quiet, p.timed = quiet(u, now)
	err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &p.Pod)
	p.ManagedFields = nil // the longer half of a pod
	return p, err
}

// finished tells whether the pod has ended, for good or ill, and will not run again.
func (p *pod) finished() bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}
