package testpairs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// World is everybody on an API server who is not sallyport: people, controllers, and who looks at what is there.
type World struct {
	client dynamic.Interface
	disco  discovery.DiscoveryInterface
}

// NewWorld connects with an administrator's kubeconfig.
func NewWorld(kubeconfig string) (*World, error) {
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	c.QPS = -1
	c.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, err
	}
	disco, err := discovery.NewDiscoveryClientForConfig(c)
	return &World{client, disco}, err
}

// resource is one that the server can list.
type resource struct {
	schema.GroupVersionResource
	kind       string
	namespaced bool
}

// resources asks what there is, each kind in the version that the server prefers.
func (w *World) resources() ([]resource, error) {
	lists, err := w.disco.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, err
	}
	var out []resource
	for _, l := range lists {
		gv, err := schema.ParseGroupVersion(l.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range l.APIResources {
			verbs := strings.Join(r.Verbs, " ")
			if strings.Contains(verbs, "list") && strings.Contains(verbs, "delete") && gv.Group != "events.k8s.io" && r.Kind != "Event" {
				out = append(out, resource{gv.WithResource(r.Name), r.Kind, r.Namespaced})
			}
		}
	}
	return out, nil
}

func (w *World) at(r resource, namespace string) dynamic.ResourceInterface {
	if r.namespaced {
		return w.client.Resource(r.GroupVersionResource).Namespace(namespace)
	}
	return w.client.Resource(r.GroupVersionResource)
}

// find returns how to reach an object's kind, in the version in which the object is written.
func (w *World) find(u *Object) (dynamic.ResourceInterface, error) {
	gv, err := schema.ParseGroupVersion(u.GetAPIVersion())
	if err != nil {
		return nil, err
	}
	list, err := w.disco.ServerResourcesForGroupVersion(u.GetAPIVersion())
	if err != nil {
		return nil, err
	}
	for _, r := range list.APIResources {
		if r.Kind == u.GetKind() && !strings.Contains(r.Name, "/") {
			return w.at(resource{gv.WithResource(r.Name), r.Kind, r.Namespaced}, u.GetNamespace()), nil
		}
	}
	return nil, fmt.Errorf("the server does not know %s", u.GroupVersionKind())
}

// Create makes objects as kubectl create does, or, every other one, as kubectl apply does.
func (w *World) Create(ctx context.Context, objs []*Object) error {
	for i, u := range objs {
		r, err := w.find(u)
		if err != nil {
			return err
		}
		u, manager := u.DeepCopy(), "kubectl-create"
		if i%2 == 1 {
			manager = "kubectl-client-side-apply"
			text, err := json.Marshal(u.Object)
			if err != nil {
				return err
			}
			a := u.GetAnnotations()
			if a == nil {
				a = map[string]string{}
			}
			a["kubectl.kubernetes.io/last-applied-configuration"] = string(text)
			u.SetAnnotations(a)
		}
		if _, err := r.Create(ctx, u, metav1.CreateOptions{FieldManager: manager}); err != nil {
			return fmt.Errorf("%s %s: %w", u.GetKind(), u.GetName(), err)
		}
	}
	return nil
}

// Edit does what the edits say. An edit that does not fit the object, which the server refuses, is passed over; it
// returns those that were made.
func (w *World) Edit(ctx context.Context, edits []Edit) (done []string, err error) {
	for _, e := range edits {
		r, err := w.find(e.Object)
		if err != nil {
			return done, err
		}
		if e.Delete {
			err = r.Delete(ctx, e.Object.GetName(), metav1.DeleteOptions{})
		} else {
			err = patch(ctx, r, e)
		}
		switch {
		case apierrors.IsNotFound(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsUnsupportedMediaType(err):
			continue
		case err != nil:
			return done, fmt.Errorf("%s by %s: %w", e.Object.GetKind(), e.Manager, err)
		}
		done = append(done, e.String())
	}
	return done, nil
}

// String says who did what.
func (e Edit) String() string {
	if e.Delete {
		return fmt.Sprintf("%s %s deleted", e.Object.GetKind(), e.Object.GetName())
	}
	text, err := json.Marshal(e.Patch)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s by %s: %s", e.Object.GetKind(), e.Object.GetName(), e.Manager, text)
}

func patch(ctx context.Context, r dynamic.ResourceInterface, e Edit) error {
	how := types.StrategicMergePatchType
	if e.Merge {
		how = types.MergePatchType
	}
	body, err := json.Marshal(e.Patch)
	if err != nil {
		return err
	}
	var sub []string
	if e.Subresource != "" {
		sub = append(sub, e.Subresource)
	}
	_, err = r.Patch(ctx, e.Object.GetName(), how, body, metav1.PatchOptions{FieldManager: e.Manager}, sub...)
	return err
}

// Dump is what is there of a pair: objects by kind and name.
type Dump map[string]*Object

// Dump reads everything of the pair.
func (w *World) Dump(ctx context.Context, p *Pair) (Dump, error) {
	resources, err := w.resources()
	if err != nil {
		return nil, err
	}
	d := Dump{}
	for _, r := range resources {
		list, err := w.at(r, p.Namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
			continue // a kind that is going
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", r.Resource, err)
		}
		for i := range list.Items {
			u := &list.Items[i]
			if r.namespaced || p.owns(u.GetName()) {
				d[dumpName(r.kind, r.Group, u.GetName())] = u
			}
		}
	}
	return d, nil
}

func dumpName(kind, group, name string) string { return kind + "." + group + " " + name }

// owns tells whether a name of the cluster's scope is one of the pair's.
func (p *Pair) owns(name string) bool {
	name = strings.TrimPrefix(name, "gadgets.")
	return name == p.Prefix || strings.HasPrefix(name, p.Prefix+"-") || strings.HasPrefix(name, p.Prefix+".")
}

// Clean takes away everything of the pair, whatever holds it.
func (w *World) Clean(ctx context.Context, p *Pair) error {
	resources, err := w.resources()
	if err != nil {
		return err
	}
	var errs []error
	for _, namespaced := range []bool{true, false} {
		for _, r := range resources {
			if r.namespaced == namespaced {
				errs = append(errs, w.clean(ctx, p, r))
			}
		}
	}
	return errors.Join(errs...)
}

func (w *World) clean(ctx context.Context, p *Pair, r resource) error {
	at := w.at(r, p.Namespace)
	list, err := at.List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
		return nil // a kind that is going
	case err != nil:
		return err
	}
	for i := range list.Items {
		u := &list.Items[i]
		if !r.namespaced && !p.owns(u.GetName()) {
			continue
		}
		if err := at.Delete(ctx, u.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if err := w.release(ctx, at, u.GetName(), r.Resource == "namespaces"); err != nil {
			return err
		}
	}
	return nil
}

// release takes away what holds an object that is being deleted, as its controllers would.
func (w *World) release(ctx context.Context, at dynamic.ResourceInterface, name string, namespace bool) error {
	u, err := at.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case u.GetDeletionTimestamp() == nil:
		return nil
	}
	if namespace {
		unstructured.RemoveNestedField(u.Object, "spec", "finalizers")
		_, err = at.Update(ctx, u, metav1.UpdateOptions{}, "finalize")
	} else if len(u.GetFinalizers()) > 0 {
		_, err = at.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
