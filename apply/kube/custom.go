package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// firstStatus is how long the controller of a new custom resource has to say something of it, before its silence is taken
// for content: many controllers never say anything.
const firstStatus = 5 * time.Second

// kubernetesGroups are the API groups with a dot that Kubernetes itself serves. Others under k8s.io are defined by
// CustomResourceDefinitions.
var kubernetesGroups = []string{
	"admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
	"certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io",
	"internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "rbac.authorization.k8s.io", "resource.k8s.io",
	"scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
}

func isCustom(group string) bool {
	return strings.Contains(group, ".") && !slices.Contains(kubernetesGroups, group)
}

// subresources remembers for one look which kinds have a status.
type subresources struct {
	mu    sync.Mutex
	known map[schema.GroupVersion][]metav1.APIResource
}

// haveStatus tells whether objects of the kind have a status that a controller may set.
func (r *subresources) haveStatus(ctx context.Context, c *Cluster, gvk schema.GroupVersionKind) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, ok := r.known[gvk.GroupVersion()]
	if !ok {
		var list metav1.APIResourceList
		if err := c.getJSON(ctx, "/apis/"+gvk.GroupVersion().String(), &list); err != nil {
			return false, err
		}
		if r.known == nil {
			r.known = map[schema.GroupVersion][]metav1.APIResource{}
		}
		all = list.APIResources
		r.known[gvk.GroupVersion()] = all
	}
	return slices.ContainsFunc(all, func(a metav1.APIResource) bool {
		return a.Kind == gvk.Kind && strings.HasSuffix(a.Name, "/status")
	}), nil
}

// askCustom gives a custom resource a moment at the server's time now if nobody has said anything of it, and then says so.
func (c *Cluster) askCustom(ctx context.Context, live *unstructured.Unstructured, now time.Time, r *subresources, s *ObjectStatus) error {
	status, _, _ := unstructured.NestedMap(live.Object, "status")
	if s.Status != Current || len(status) > 0 || !isCustom(live.GroupVersionKind().Group) {
		return nil
	}
	has, err := r.haveStatus(ctx, c, live.GroupVersionKind())
	if err != nil {
		return c.failed("tell what it knows of "+live.GetAPIVersion(), err)
	}
	if !has {
		return nil
	}
	age := now.Sub(live.GetCreationTimestamp().Time)
	if !now.IsZero() && age >= 0 && age < firstStatus {
		s.Status, s.Message = InProgress, fmt.Sprintf("it is new, and its controller has %.0f s to say something of it", (firstStatus-age).Seconds())
		return nil
	}
	s.Note = "no controller has said anything of it: it has no status"
	return nil
}
