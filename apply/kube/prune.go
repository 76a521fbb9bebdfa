package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Prune deletes what prev lists and keep does not, as far as the package's rules allow, and waits until it is gone, for the
// time to settle or until shortly before ctx ends. An object whose deletion is refused, or takes longer, is a change with
// the action Leaving, not an error: Prune tries it again when it is called again.
func (c *Cluster) Prune(ctx context.Context, prev, keep Inventory) ([]Change, error) {
	return c.prune(ctx, prev.Minus(keep), false)
}

// pruning is one run of prune.
type pruning struct {
	c       *Cluster
	dry     bool
	gone    map[ID]bool // what is, or would be, deleted by now
	deleted []*unstructured.Unstructured
}

func (c *Cluster) prune(ctx context.Context, leaving Inventory, dry bool) ([]Change, error) {
	p := &pruning{c: c, dry: dry, gone: map[ID]bool{}}
	var changes []Change
	for _, id := range backwards(leaving) {
		change, err := p.one(ctx, id)
		if err != nil {
			return changes, err
		}
		if change != nil {
			changes = append(changes, *change)
		}
	}
	return changes, p.wait(ctx, changes)
}

// backwards is the order of applying from its end: what stands on something goes before it.
func backwards(v Inventory) []ID {
	objs := make([]*unstructured.Unstructured, 0, v.Len())
	for _, id := range v.IDs() {
		objs = append(objs, id.object())
	}
	slices.SortStableFunc(objs, func(a, b *unstructured.Unstructured) int {
		if d := int(stageOf(b)) - int(stageOf(a)); d != 0 {
			return d
		}
		return order(b, a)
	})
	// Namespaces last, even after the kinds: what is left in them decides.
	slices.SortStableFunc(objs, func(a, b *unstructured.Unstructured) int {
		return btoi(utils.IsNamespace(a)) - btoi(utils.IsNamespace(b))
	})
	ids := make([]ID, 0, len(objs))
	for _, u := range objs {
		ids = append(ids, idOf(u))
	}
	return ids
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// one decides on an object, and deletes it. It returns nil for one that is not there.
func (p *pruning) one(ctx context.Context, id ID) (*Change, error) {
	live, err := p.c.getAnyVersion(ctx, id)
	if err != nil {
		return nil, p.c.failed("look at "+id.String(), err)
	}
	if live == nil {
		p.gone[id.key()] = true
		return nil, nil
	}
	why, err := p.keep(ctx, live)
	if err != nil {
		return nil, err
	}
	if why != "" {
		return &Change{ID: id, Action: Kept, Note: why}, nil
	}
	if !p.dry {
		if err := p.c.delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			if note, _, ok := refusal(err); ok {
				return &Change{ID: id, Action: Leaving, Note: "it cannot be deleted: " + note}, nil
			}
			return nil, err
		}
		p.deleted = append(p.deleted, live)
	}
	p.gone[id.key()] = true
	return &Change{ID: id, Action: Pruned, OneWay: deletedAway(live)}, nil
}

// getAnyVersion looks for an object under the version in which it was applied, or whichever the server has now.
func (c *Cluster) getAnyVersion(ctx context.Context, id ID) (*unstructured.Unstructured, error) {
	version, ok, err := c.learnAny(ctx, id.groupKind().WithVersion(id.Version))
	if err != nil || !ok {
		return nil, err // or the kind itself is gone
	}
	id.Version = version
	return c.get(ctx, id)
}

// keep says why an object must stay; empty if it may go.
func (p *pruning) keep(ctx context.Context, live *unstructured.Unstructured) (string, error) {
	switch {
	case live.GetAnnotations()[PruneAnnotation] == "disabled":
		return "its annotation " + PruneAnnotation + " says so", nil
	case live.GetLabels()[OwnerLabel] == "":
		return "it no longer has the label " + OwnerLabel, nil
	case live.GetAnnotations()[AdoptedAnnotation] == "true":
		return "it was there before sallyport took it over", nil
	case enabled(live, PruneAnnotation):
		return "", nil
	case live.GetAPIVersion() == "v1" && slices.Contains([]string{"PersistentVolumeClaim", "PersistentVolume"}, live.GetKind()):
		return "it holds data; the annotation " + PruneAnnotation + ": enabled would let it go", nil
	case utils.IsCRD(live):
		return p.keepKind(ctx, live)
	case utils.IsNamespace(live):
		return p.keepNamespace(ctx, live.GetName())
	}
	return "", nil
}

// keepKind keeps a kind of which anything remains.
func (p *pruning) keepKind(ctx context.Context, crd *unstructured.Unstructured) (string, error) {
	gk, def := definitionOf(crd)
	if len(def.versions) == 0 {
		return "", nil
	}
	gvk := gk.WithVersion(def.versions[0])
	_, known, err := p.c.learnAny(ctx, gvk)
	var left *ID
	if known {
		left, err = p.remaining(ctx, gvk, "")
	}
	if err != nil {
		return "", p.c.failed("list "+gk.Kind+" objects", err)
	}
	if left == nil {
		return "", nil
	}
	return fmt.Sprintf("%s is still there; the annotation %s: enabled would let both go", left, PruneAnnotation), nil
}

// keepNamespace keeps a namespace in which anything remains.
func (p *pruning) keepNamespace(ctx context.Context, name string) (string, error) {
	if slices.Contains([]string{"default", "kube-system", "kube-public", "kube-node-lease"}, name) {
		return "it belongs to Kubernetes", nil
	}
	kinds, err := p.c.namespacedKinds(ctx)
	if err != nil {
		return "", p.c.failed("list its kinds", err)
	}
	for _, gvk := range kinds {
		left, err := p.remaining(ctx, gvk, name)
		if err != nil {
			return "", p.c.failed("list what is in the namespace "+name, err)
		}
		if left != nil {
			return fmt.Sprintf("%s is still there; the annotation %s: enabled would let both go", left, PruneAnnotation), nil
		}
	}
	return "", nil
}

// remaining finds an object of a kind that neither goes with this pruning nor by itself. An empty namespace stands for
// all.
func (p *pruning) remaining(ctx context.Context, gvk schema.GroupVersionKind, namespace string) (*ID, error) {
	const page = 200
	list := &metav1.PartialObjectMetadataList{}
	for {
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		err := p.c.client.List(ctx, list, client.InNamespace(namespace), client.Limit(page), client.Continue(list.Continue))
		switch {
		case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
			return nil, nil // the kind itself is gone, perhaps a moment ago
		case err != nil:
			return nil, err
		}
		for i := range list.Items {
			m := &list.Items[i]
			id := ID{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: m.Namespace, Name: m.Name}
			if !p.gone[id.key()] && !goesByItself(gvk, m) {
				return &id, nil
			}
		}
		if list.Continue == "" {
			return nil, nil
		}
	}
}

// goesByItself tells of what Kubernetes puts into each namespace, and of what goes with its owner.
func goesByItself(gvk schema.GroupVersionKind, m *metav1.PartialObjectMetadata) bool {
	switch {
	case m.DeletionTimestamp != nil, len(m.OwnerReferences) > 0:
		return true
	case gvk.Group == "" && gvk.Kind == "ServiceAccount":
		return m.Name == "default"
	case gvk.Group == "" && gvk.Kind == "ConfigMap":
		return m.Name == "kube-root-ca.crt"
	case gvk.Group == "" && gvk.Kind == "Secret":
		return m.Annotations["kubernetes.io/service-account.uid"] != ""
	}
	return false
}

// wait waits for what was deleted, all of it together for the time to settle, and notes what is still there.
func (p *pruning) wait(ctx context.Context, changes []Change) error {
	end := p.c.settled()
	if limit, ok := ctx.Deadline(); ok && limit.Add(-pollInterval).Before(end) {
		end = limit.Add(-pollInterval)
	}
	for _, u := range p.deleted {
		err := p.c.waitGone(ctx, u, end)
		if err == nil {
			continue
		}
		var hanging *notSettled
		if !errors.As(err, &hanging) {
			return err
		}
		i := slices.IndexFunc(changes, func(c Change) bool { return c.key() == idOf(u).key() })
		changes[i].Action, changes[i].Note = Leaving, "it"+strings.TrimPrefix(hanging.missing, idOf(u).String())
	}
	return nil
}
