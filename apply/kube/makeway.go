package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// stoppedAnnotation is on an object that made way for another: the merge patch that starts it again.
	stoppedAnnotation = "sallyport.dev/stopped"
	// nowhere is a label that no node has.
	nowhere = "sallyport.dev/nowhere"
)

// MakeWay stops what left the release and holds exclusively what an object of the release needs to start, and waits until
// it has let go. Nothing is deleted: Restore, and an Apply of a release that has the object again, start it as it was. prev
// is what this site may have on the target. Called again, it stops nothing twice.
func (c *Cluster) MakeWay(ctx context.Context, want Objects, prev Inventory) ([]Change, error) {
	p, err := c.newPlan(ctx, want, prev)
	if err != nil {
		return nil, err
	}
	held, err := c.holds(ctx, p, prev)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, h := range held {
		if err := c.stop(ctx, h.holder); err != nil {
			return changes, c.failed("stop "+idOf(h.holder).String(), err)
		}
		changes = append(changes, Change{ID: idOf(h.holder), Action: Stopped, Note: h.String()})
	}
	end := c.settled()
	for _, h := range held {
		if err := c.waitStopped(ctx, h.holder, end); err != nil {
			return changes, err
		}
	}
	return changes, nil
}

// stop makes an object let go of what it holds.
func (c *Cluster) stop(ctx context.Context, u *unstructured.Unstructured) error {
	if u.GetAnnotations()[stoppedAnnotation] != "" {
		return nil
	}
	off, on := stopping(u)
	back, err := json.Marshal(map[string]any{"spec": on})
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": u.GetUID(), "annotations": map[string]any{stoppedAnnotation: string(back)}},
		"spec":     off,
	})
	if err != nil {
		return err
	}
	return c.client.Patch(ctx, u.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager))
}

// stopping gives the merge patches of an object's spec that stop it and start it again.
func stopping(u *unstructured.Unstructured) (off, on map[string]any) {
	switch u.GroupVersionKind().GroupKind() {
	case daemonSetKind:
		selector := func(v any) map[string]any {
			return map[string]any{"template": map[string]any{"spec": map[string]any{"nodeSelector": map[string]any{nowhere: v}}}}
		}
		return selector("true"), selector(nil)
	case serviceKind:
		ports, _, _ := unstructured.NestedSlice(u.Object, "spec", "ports")
		policy, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "externalTrafficPolicy")
		closed := make([]any, 0, len(ports))
		for _, p := range objectsAt(u.Object, "spec", "ports") {
			inside := map[string]any{}
			for k, v := range p {
				if k != "nodePort" {
					inside[k] = v
				}
			}
			closed = append(closed, inside)
		}
		return map[string]any{"type": "ClusterIP", "externalTrafficPolicy": nil, "ports": closed}, map[string]any{"type": "NodePort", "externalTrafficPolicy": policy, "ports": ports}
	}
	replicas, found, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
	if !found {
		replicas = 1
	}
	return map[string]any{"replicas": int64(0)}, map[string]any{"replicas": replicas}
}

// start makes an object that was stopped be as before, and returns it. Others it returns as they are.
func (c *Cluster) start(ctx context.Context, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if u == nil || u.GetAnnotations()[stoppedAnnotation] == "" {
		return u, nil
	}
	patch := map[string]any{"metadata": map[string]any{"uid": u.GetUID(), "annotations": map[string]any{stoppedAnnotation: nil}}}
	var on struct {
		Spec map[string]any `json:"spec"`
	}
	if json.Unmarshal([]byte(u.GetAnnotations()[stoppedAnnotation]), &on) == nil && on.Spec != nil {
		patch["spec"] = on.Spec // or somebody has edited it, and the release says what should be
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	started := u.DeepCopy()
	return started, c.client.Patch(ctx, started, client.RawPatch(types.MergePatchType, b), client.FieldOwner(FieldManager))
}

// waitStopped waits until no pod of a workload runs.
func (c *Cluster) waitStopped(ctx context.Context, u *unstructured.Unstructured, end time.Time) error {
	if u.GroupVersionKind().GroupKind() == serviceKind {
		return nil
	}
	raw, _, _ := unstructured.NestedMap(u.Object, "spec", "selector")
	b, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	var labels metav1.LabelSelector
	if err := json.Unmarshal(b, &labels); err != nil {
		return fmt.Errorf("%s: %w", idOf(u), err)
	}
	selector, err := metav1.LabelSelectorAsSelector(&labels)
	if err != nil {
		return fmt.Errorf("%s: %w", idOf(u), err)
	}
	if err := c.learnKinds(ctx, []*unstructured.Unstructured{ID{Version: "v1", Kind: "Pod"}.object()}); err != nil {
		return err
	}
	return c.poll(ctx, end, func(ctx context.Context) (string, error) {
		pods := &metav1.PartialObjectMetadataList{}
		pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
		err := c.client.List(ctx, pods, client.InNamespace(u.GetNamespace()), client.MatchingLabelsSelector{Selector: selector}, client.Limit(listPage))
		switch {
		case err != nil:
			return "", c.failed("list the pods of "+idOf(u).String(), err)
		case len(pods.Items) == 0:
			return "", nil
		}
		return fmt.Sprintf("Pod %s/%s of %s still runs", pods.Items[0].Namespace, pods.Items[0].Name, idOf(u)), nil
	})
}
