package kube

import (
	"cmp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ID names an object. Two IDs that differ only in Version, or in having no namespace and the namespace default, name the
// same object.
type ID struct {
	Group     string `json:"group,omitempty"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String is the kind and name as people say it: Deployment warehouse/pick-engine.
func (id ID) String() string {
	if id.Namespace == "" {
		return id.Kind + " " + id.Name
	}
	return id.Kind + " " + id.Namespace + "/" + id.Name
}

// key is what IDs of the same object have in common.
func (id ID) key() ID {
	id.Version = ""
	if id.Namespace == "default" {
		id.Namespace = ""
	}
	return id
}

func (id ID) groupKind() schema.GroupKind { return schema.GroupKind{Group: id.Group, Kind: id.Kind} }

func (id ID) gvk() schema.GroupVersionKind { return id.groupKind().WithVersion(id.Version) }

func (id ID) object() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(id.gvk())
	u.SetNamespace(id.Namespace)
	u.SetName(id.Name)
	return u
}

func idOf(u *unstructured.Unstructured) ID {
	gvk := u.GroupVersionKind()
	return ID{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: u.GetNamespace(), Name: u.GetName()}
}

func compareIDs(a, b ID) int {
	return cmp.Or(
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
}
