package kube

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// restartedAt is what kubectl rollout restart writes into a Pod template. To take it away would be another restart.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// keeping tells of annotations that are notes of tools about the object, and say nothing to the cluster.
func keeping(annotation string) bool {
	return slices.ContainsFunc([]string{corev1.LastAppliedConfigAnnotation, "kubernetes.io/change-cause", "deployment.kubernetes.io/", "meta.helm.sh/",
		"sallyport.dev/"}, func(begin string) bool { return strings.HasPrefix(annotation, begin) })
}

// strip takes out of an object what people have added to it: what they own and neither we nor controllers do. What
// becomes empty by it goes, too. It tells whether anything was taken out. An object's status is nobody's addition, nor
// are its metadata, but for labels and annotations.
func strip(u *unstructured.Unstructured, all []manager, scaled bool) bool {
	added := ownedBy(all, people)
	kept := fieldSet{}
	kept.add(ownedBy(all, us))
	kept.add(ownedBy(all, programs))
	for _, known := range []string{"f:apiVersion", "f:kind", "f:status"} {
		delete(added, known)
	}
	if scaled {
		delete(added.field("spec"), "f:replicas")
	}
	meta := added.field("metadata")
	for k := range meta {
		if k != "f:labels" && k != "f:annotations" {
			delete(meta, k)
		}
	}
	notes := meta.field("annotations")
	for k := range notes {
		if keeping(strings.TrimPrefix(k, "f:")) {
			delete(notes, k)
		}
	}
	template := added.field("spec").field("template").field("metadata").field("annotations")
	delete(template, "f:"+restartedAt)
	return stripFields(u.Object, added, kept)
}

func stripFields(from map[string]any, added, kept fieldSet) (changed bool) {
	for k := range added {
		name, isField := strings.CutPrefix(k, "f:")
		v, there := from[name]
		if !isField || !there {
			continue
		}
		left, did := stripValue(v, added.at(k), kept.field(name))
		switch {
		case !did:
			continue
		case left == nil:
			delete(from, name)
		default:
			from[name] = left
		}
		changed = true
	}
	return changed
}

// stripValue returns what is left of a value; nil if nothing is.
func stripValue(v any, added, kept fieldSet) (left any, changed bool) {
	if added.leaf() {
		if kept == nil {
			return nil, true
		}
		return v, false
	}
	switch v := v.(type) {
	case map[string]any:
		changed = stripFields(v, added, kept)
		if len(v) == 0 && kept == nil {
			return nil, changed
		}
		return v, changed
	case []any:
		var out []any
		for _, item := range v {
			theirs := added.item(item)
			if theirs == nil {
				out = append(out, item)
				continue
			}
			if kept.item(item) == nil && theirs.at(".") != nil {
				changed = true
				continue
			}
			rest, did := stripValue(item, theirs, kept.item(item))
			out, changed = append(out, rest), changed || did
		}
		if len(out) == 0 && changed && kept == nil {
			return nil, true
		}
		return out, changed
	}
	return v, false
}
