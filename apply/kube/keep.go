package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/fluxcd/pkg/ssa/utils"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// helmPolicyAnnotation: "keep" is Helm's word for what must stay when it leaves a chart.
const helmPolicyAnnotation = "helm.sh/resource-policy"

// judge says what becomes of an object that left the release, and why. With Pruned, why tells what would be lost for good.
func (p *pruning) judge(ctx context.Context, live *unstructured.Unstructured) (action Action, why string, err error) {
	switch marks := live.GetAnnotations(); {
	case marks[PruneAnnotation] == "disabled":
		return Kept, "its annotation " + PruneAnnotation + " says so", nil
	case marks[helmPolicyAnnotation] == "keep":
		return Kept, "its annotation " + helmPolicyAnnotation + " says so", nil
	case live.GetLabels()[OwnerLabel] == "":
		return Kept, "it no longer has the label " + OwnerLabel, nil
	case !written(live):
		return GivenUp, "somebody else has made it anew", nil
	case marks[AdoptedAnnotation] == "true":
		return Kept, "it was there before sallyport took it over", nil
	case utils.IsNamespace(live):
		p.owner = live.GetLabels()[OwnerLabel]
		return p.judgeNamespace(ctx, live.GetName())
	case utils.IsCRD(live):
		return p.judgeKind(ctx, live)
	case holdsData(live) && !enabled(live, PruneAnnotation):
		return Kept, "it holds data; the annotation " + PruneAnnotation + ": enabled would let it go", nil
	}
	return Pruned, "", nil
}

// written tells whether any of an object is ours. A label alone proves nothing: controllers copy those of an object to what
// they make for it, and people copy manifests.
func written(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool { return f.Manager == FieldManager })
}

// giveUp takes the mark of the release off an object that others need, so that nobody takes it for ours.
func (p *pruning) giveUp(ctx context.Context, live *unstructured.Unstructured) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": live.GetUID(), "labels": map[string]any{OwnerLabel: nil}}})
	if err != nil {
		return err
	}
	err = p.c.client.Patch(ctx, live, client.RawPatch(types.MergePatchType, patch))
	if _, _, refused := refusal(err); err == nil || refused {
		return nil // the mark stays, and nobody is worse off
	}
	return p.c.failed("give up "+idOf(live).String(), err)
}

// isUnreadable tells that the server answers, and cannot give the object: the conversion of its kind is out of order.
func isUnreadable(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code == http.StatusInternalServerError
}

// judgeKind keeps a kind of which anything remains.
func (p *pruning) judgeKind(ctx context.Context, crd *unstructured.Unstructured) (Action, string, error) {
	gk, def := definitionOf(crd)
	if len(def.versions) == 0 {
		return Pruned, "", nil
	}
	gvk := gk.WithVersion(def.versions[0])
	_, known, err := p.c.learnAny(ctx, gvk)
	var left *ID
	if known && err == nil {
		left, err = p.remaining(ctx, gvk, "")
	}
	switch {
	case isUnreadable(err):
		return Leaving, "nobody can tell whether there are objects of its kind: " + tidy(err.Error()), nil
	case err != nil:
		return "", "", p.c.failed("list "+gk.Kind+" objects", err)
	case left == nil:
		return Pruned, "", nil
	case enabled(crd, PruneAnnotation):
		return Pruned, fmt.Sprintf("%s and whatever else there is of its kind go with it", left), nil
	}
	return Kept, fmt.Sprintf("%s is still there; the annotation %s: enabled would let both go", left, PruneAnnotation), nil
}

// judgeNamespace leaves a namespace in which anything remains, whoever has it: with the namespace it would be lost.
func (p *pruning) judgeNamespace(ctx context.Context, name string) (Action, string, error) {
	if slices.Contains([]string{"default", "kube-system", "kube-public", "kube-node-lease"}, name) {
		return GivenUp, "it belongs to Kubernetes", nil
	}
	kinds, err := p.c.namespacedKinds(ctx)
	if err != nil && !isUnreadable(err) {
		return "", "", p.c.failed("list its kinds", err)
	}
	for _, gvk := range kinds {
		var left *ID
		if left, err = p.remaining(ctx, gvk, name); err != nil && !isUnreadable(err) {
			return "", "", p.c.failed("list what is in the namespace "+name, err)
		}
		switch {
		case err != nil:
		case left != nil && p.leaving[left.key()]:
			return Kept, fmt.Sprintf("%s is still there", left), nil
		case left != nil:
			return GivenUp, fmt.Sprintf("%s is in it, so it is left as it is, and no longer belongs to the release", left), nil
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		return Leaving, "nobody can tell what is in it: " + tidy(err.Error()), nil
	}
	return Pruned, "", nil
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
			if !p.gone[id.key()] && !goesByItself(gvk, m) && !p.isHook(m) {
				return &id, nil
			}
		}
		if list.Continue == "" {
			return nil, nil
		}
	}
}

// isHook tells of what the release of the namespace has made on the way, and lists nowhere.
func (p *pruning) isHook(m *metav1.PartialObjectMetadata) bool {
	return p.owner != "" && m.Labels[OwnerLabel] == p.owner && m.Annotations[HookAnnotation] != ""
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
