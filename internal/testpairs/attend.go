package testpairs

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Attend does the part of the controllers that an API server by itself lacks: it lets go what is being deleted. The
// function that it returns ends it.
func (w *World) Attend(p *Pair) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	held := []resource{
		{schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}, "PersistentVolumeClaim", true},
		{schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}, "PersistentVolume", false},
		{schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "volumeattributesclasses"}, "VolumeAttributesClass", false},
		{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "ConfigMap", true},
		{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}, "StatefulSet", true},
		{schema.GroupVersionResource{Group: p.Prefix + ".example.com", Version: "v1", Resource: "gadgets"}, "Gadget", true},
	}
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			for _, r := range held {
				w.letGo(ctx, p, r)
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
	}
}

// letGo tries; what fails is tried again by the next round.
func (w *World) letGo(ctx context.Context, p *Pair, r resource) {
	at := w.at(r, p.Namespace)
	list, err := at.List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, u := range list.Items {
		if u.GetDeletionTimestamp() != nil && (r.namespaced || p.owns(u.GetName())) {
			_ = w.release(ctx, at, u.GetName(), false)
		}
	}
}
