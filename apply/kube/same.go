package kube

import (
	"encoding/json"
	"maps"
	"reflect"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// sameContent tells whether two states of an object say the same, apart from its status and from what the server counts.
func sameContent(a, b *unstructured.Unstructured) bool {
	return apiequality.Semantic.DeepEqual(content(a), content(b))
}

func content(u *unstructured.Unstructured) map[string]any {
	m := maps.Clone(u.Object)
	delete(m, "status")
	if metadata, ok := m["metadata"].(map[string]any); ok {
		metadata = maps.Clone(metadata)
		for _, counted := range []string{"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
			delete(metadata, counted)
		}
		if a, ok := metadata["annotations"].(map[string]any); ok && a[templateGeneration] != nil {
			a = maps.Clone(a)
			delete(a, templateGeneration)
			metadata["annotations"] = a
		}
		m["metadata"] = metadata
	}
	return m
}

// templateGeneration is an annotation in which the server counts the templates that a DaemonSet has had.
const templateGeneration = "deprecated.daemonset.template.generation"

// sameClaim tells whether our manager owns the same fields of two states, under the same version of the kind. Fields that
// it does not own would stay when a later release no longer has them.
func sameClaim(a, b *unstructured.Unstructured) bool {
	va, fa := claimOf(a)
	vb, fb := claimOf(b)
	return va == vb && reflect.DeepEqual(fa, fb)
}

func claimOf(u *unstructured.Unstructured) (version string, fields map[string]any) {
	for _, f := range u.GetManagedFields() {
		if f.Manager != FieldManager || f.Operation != metav1.ManagedFieldsOperationApply || f.Subresource != "" || f.FieldsV1 == nil {
			continue
		}
		if json.Unmarshal(f.FieldsV1.GetRawBytes(), &fields) != nil {
			return f.APIVersion, nil
		}
		return f.APIVersion, fields
	}
	return "", nil
}
