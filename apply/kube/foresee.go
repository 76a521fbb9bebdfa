package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	claimKind       = schema.GroupKind{Kind: "PersistentVolumeClaim"}
	volumeKind      = schema.GroupKind{Kind: "PersistentVolume"}
	namespaceKind   = schema.GroupKind{Kind: "Namespace"}
	definitionKind  = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	statefulSetKind = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
)

// OneWayError tells that a release changes what no rollback can undo, and does not say that it may.
type OneWayError struct {
	Target  string
	Changes []Change // each with OneWay and not Accepted
}

// Error names each object, the first few with the reasons.
func (e *OneWayError) Error() string {
	return fmt.Sprintf("%s could not be given back %s", e.Target, listed(e.Changes, func(c Change) string { return c.OneWay }))
}

// Reason is the stable word for scripts.
func (e *OneWayError) Reason() string { return "one-way" }

// Hint says what to do next.
func (e *OneWayError) Hint() string {
	id := e.Changes[0].ID
	ref := fmt.Sprintf("{kind: %s, namespace: %s, name: %s}", id.Kind, id.Namespace, id.Name)
	if id.Namespace == "" {
		ref = fmt.Sprintf("{kind: %s, name: %s}", id.Kind, id.Name)
	}
	return "nothing has changed; if the release may do that for good, name the object in its release.yaml under spec.oneWay: " + ref
}

// Refusal is the error of a release of which the target would make these changes: objects are refused, or changes cannot
// be undone and are not accepted. It is nil if there are none.
func Refusal(target string, changes []Change) error {
	var refused, oneWay []Change
	for _, c := range changes {
		switch {
		case c.Action == Conflict:
			refused = append(refused, c)
		case c.OneWay != "" && !c.Accepted:
			oneWay = append(oneWay, c)
		}
	}
	switch {
	case len(refused) > 0:
		return &RefusedError{Target: target, Refused: refused}
	case len(oneWay) > 0:
		return &OneWayError{Target: target, Changes: oneWay}
	}
	return nil
}

// accept marks the changes of objects that the release names.
func accept(changes []Change, named []ID) {
	for i := range changes {
		changes[i].Accepted = changes[i].OneWay != "" && names(named, changes[i].ID)
	}
}

// names tells whether a list without groups and versions names an object.
func names(list []ID, id ID) bool {
	id = id.key()
	return slices.ContainsFunc(list, func(n ID) bool {
		return n.Kind == id.Kind && n.Name == id.Name && n.key().Namespace == id.Namespace
	})
}

// oneWay says what of a change no rollback can undo; empty if one can undo it all. after is what becomes of the live object.
func oneWay(live, after *unstructured.Unstructured) string {
	switch live.GroupVersionKind().GroupKind() {
	case claimKind:
		return grown(live, after)
	case statefulSetKind:
		return scaledAway(live, after)
	case definitionKind:
		return storageMoved(live, after)
	}
	return ""
}

// grown tells of a claim that asks for more than it has: Kubernetes lets none shrink.
func grown(live, after *unstructured.Unstructured) string {
	size := func(u *unstructured.Unstructured) (text string, q resource.Quantity) {
		text, _, _ = unstructured.NestedString(u.Object, "spec", "resources", "requests", "storage")
		q, err := resource.ParseQuantity(text)
		if err != nil {
			return text, resource.Quantity{} // as it stands in the cluster, which has accepted it, or has none
		}
		return text, q
	}
	was, before := size(live)
	becomes, then := size(after)
	if before.IsZero() || then.Cmp(before) <= 0 {
		return ""
	}
	return fmt.Sprintf("it grows from %s to %s, and a claim never shrinks", was, becomes)
}

// scaledAway tells of claims that Kubernetes deletes when a StatefulSet needs fewer of them.
func scaledAway(live, after *unstructured.Unstructured) string {
	if policy, _, _ := unstructured.NestedString(after.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"); policy != "Delete" || !hasClaims(live) {
		return ""
	}
	was, _, _ := unstructured.NestedInt64(live.Object, "spec", "replicas")
	becomes, found, _ := unstructured.NestedInt64(after.Object, "spec", "replicas")
	if !found || becomes >= was {
		return ""
	}
	return fmt.Sprintf("it goes from %d to %d replicas, and the claims of those that go are deleted (whenScaled: Delete)", was, becomes)
}

func hasClaims(set *unstructured.Unstructured) bool {
	claims, _, _ := unstructured.NestedSlice(set.Object, "spec", "volumeClaimTemplates")
	return len(claims) > 0
}

// storageMoved tells of a kind whose objects are from now on kept in a version that it did not have: the version cannot be
// taken away again, whether an object has been written in it or not.
func storageMoved(live, after *unstructured.Unstructured) string {
	had := versionsOf(live)
	for name, v := range versionsOf(after) {
		if stored, _, _ := unstructured.NestedBool(v, "storage"); stored && had[name] == nil {
			return fmt.Sprintf("its objects are kept as version %s from now on, which it does not have yet", name)
		}
	}
	return ""
}

// versionsOf gives the versions of a CustomResourceDefinition by their names.
func versionsOf(crd *unstructured.Unstructured) map[string]map[string]any {
	out := map[string]map[string]any{}
	list, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			name, _, _ := unstructured.NestedString(m, "name")
			out[name] = m
		}
	}
	return out
}

// recreatedAway says what an object loses by being deleted and created again.
func recreatedAway(live *unstructured.Unstructured) string {
	switch live.GroupVersionKind().GroupKind() {
	case claimKind, volumeKind:
		return "it is deleted and created again, and its data is lost"
	case namespaceKind:
		return "it is deleted and created again, and all that is in it is lost"
	case definitionKind:
		return "it is deleted and created again, and all objects of its kind are lost"
	}
	return ""
}

// deletedAway says what else goes when an object that left the release is deleted.
func deletedAway(live *unstructured.Unstructured) string {
	switch live.GroupVersionKind().GroupKind() {
	case claimKind, volumeKind:
		return "its data goes with it"
	case statefulSetKind:
		policy, _, _ := unstructured.NestedString(live.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
		if policy == "Delete" && hasClaims(live) {
			return "its claims go with it (whenDeleted: Delete), and their data"
		}
	}
	return ""
}

// outlasts says why a new object is not deleted when the release is taken back; empty if it is.
func outlasts(want *unstructured.Unstructured) string {
	marks := want.GetAnnotations()
	switch {
	case marks[PruneAnnotation] == "disabled":
		return "its annotation " + PruneAnnotation + " says so"
	case marks[helmPolicyAnnotation] == "keep":
		return "its annotation " + helmPolicyAnnotation + " says so"
	case holdsData(want) && !utils.IsNamespace(want) && !utils.IsCRD(want) && !enabled(want, PruneAnnotation):
		return "it holds data"
	}
	return ""
}

// foresee adds to the plan what can only be told of the whole of it.
func (c *Cluster) foresee(ctx context.Context, p *plan) error {
	p.noteReaders()
	for _, it := range p.items() {
		p.foretell(it)
		if why := outlasts(it.want); it.change.Action == Created && why != "" {
			it.change.Note = strings.TrimPrefix(it.change.Note+"; a rollback leaves it: "+why, "; ")
		}
		if it.change.Action == Configured && len(it.narrowed) > 0 && it.change.OneWay == "" {
			why, err := c.prunedAway(ctx, p, it)
			if err != nil {
				return err
			}
			it.change.OneWay = why
		}
	}
	return nil
}

// foretell notes on objects what the way back costs, where it is not lost.
func (p *plan) foretell(it *item) {
	var note string
	switch {
	case it.sealed:
		note = "it cannot be changed from now on; the way back deletes it and creates it again"
	case it.change.Action == Created && it.change.Group == "batch" && it.change.Kind == "Job" && len(p.prev) > 0:
		note = "what it does stays when the release goes back"
	default:
		return
	}
	it.change.Note = strings.TrimPrefix(it.change.Note+"; "+note, "; ")
}

// sealed tells of a ConfigMap or Secret that becomes immutable.
func sealed(live, after *unstructured.Unstructured) bool {
	was, _, _ := unstructured.NestedBool(live.Object, "immutable")
	becomes, _, _ := unstructured.NestedBool(after.Object, "immutable")
	return becomes && !was
}
