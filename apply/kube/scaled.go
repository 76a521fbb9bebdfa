package kube

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scaling is what an autoscaler scales.
type scaling struct{ group, kind, name string }

var autoscalers = schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}

// scaled tells whether an autoscaler says how many replicas a workload has. It asks only where the number is not the
// wanted one.
func (d *drifter) scaled(ctx context.Context, want, live *unstructured.Unstructured) (bool, error) {
	w, _, _ := unstructured.NestedFieldNoCopy(want.Object, "spec", "replicas")
	l, found, _ := unstructured.NestedFieldNoCopy(live.Object, "spec", "replicas")
	if !found || w != nil && sameScalar(w, l) {
		return false, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all, known := d.scalings[live.GetNamespace()]
	if !known {
		var err error
		if all, err = d.listScalings(ctx, live.GetNamespace()); err != nil {
			return false, d.failed("list the autoscalers of "+live.GetNamespace(), err)
		}
		if d.scalings == nil {
			d.scalings = map[string][]scaling{}
		}
		d.scalings[live.GetNamespace()] = all
	}
	id := idOf(live)
	return slices.Contains(all, scaling{id.Group, id.Kind, id.Name}), nil
}

// listScalings finds none where there is no such kind, or where they must not be read.
func (d *drifter) listScalings(ctx context.Context, namespace string) (all []scaling, err error) {
	if !d.knows(autoscalers) {
		return nil, nil
	}
	err = d.list(ctx, autoscalers.GroupVersion().String(), autoscalers.Kind+"List", func(u *unstructured.Unstructured, _ time.Time) error {
		target, _, _ := unstructured.NestedStringMap(u.Object, "spec", "scaleTargetRef")
		gv, err := schema.ParseGroupVersion(target["apiVersion"])
		if err == nil {
			all = append(all, scaling{gv.Group, target["kind"], target["name"]})
		}
		return nil
	}, client.InNamespace(namespace))
	if _, _, refused := refusal(err); refused {
		return nil, nil
	}
	return all, err
}
