package kube

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// newestEvent returns the newest event in the namespace which the field selector and the function choose; nil if there is
// none, or no longer.
func (c *Cluster) newestEvent(ctx context.Context, namespace, selector string, choose func(*corev1.Event) bool) (newest *corev1.Event, err error) {
	sel, err := fields.ParseSelector(selector)
	if err != nil {
		return nil, err
	}
	err = c.list(ctx, "v1", "EventList", func(u *unstructured.Unstructured, _ time.Time) error {
		var e corev1.Event
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &e); err != nil {
			return err
		}
		if choose(&e) && (newest == nil || !happened(&e).Before(happened(newest))) {
			newest = &e
		}
		return nil
	}, client.InNamespace(namespace), client.MatchingFieldsSelector{Selector: sel})
	return newest, err
}

// happened is when an event was last seen. Who wrote it decides which of the fields tell.
func happened(e *corev1.Event) time.Time {
	at := e.LastTimestamp.Time
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	for _, t := range []time.Time{e.EventTime.Time, e.FirstTimestamp.Time, e.CreationTimestamp.Time} {
		if at.IsZero() {
			at = t
		}
	}
	return at
}

func isWarning(e *corev1.Event) bool { return e.Type == corev1.EventTypeWarning }
