package kubeyaml

import (
	"fmt"
	"slices"
	"strings"
)

// ownGroups are the API groups of Kubernetes itself, whose kinds that end in List are lists.
func ownGroups() []string {
	return []string{"", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
		"autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
		"extensions", "flowcontrol.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy",
		"rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io"}
}

// itemKind tells whether the object is a list; of a typed one it gives the kind of its items.
func (o *Object) itemKind() (kind string, isList bool) {
	if o.APIVersion() == "v1" && o.Kind() == "List" {
		return "", true
	}
	kind, isList = strings.CutSuffix(o.Kind(), "List")
	return kind, isList && kind != "" && slices.Contains(ownGroups(), o.group())
}

// flatten takes a list apart, and checks what it gives. Items of typed lists need not say their kind, as in the answers
// of an API server.
func (o Object) flatten(objects []Object, depth int) ([]Object, error) {
	kind, isList := o.itemKind()
	if !isList {
		return append(objects, o), o.check()
	}
	if depth > maxDepth {
		return nil, tooDeep(o.Place)
	}
	items, ok := o.Fields["items"].([]any)
	if !ok && o.Fields["items"] != nil {
		return nil, &Error{Place: o.FieldPlace(Path{"items"}), Problem: fmt.Sprintf("the items of this %s are %s, not a list", o.Kind(), describe(o.Fields["items"]))}
	}
	for i, item := range items {
		path := Path{"items", i}
		fields, ok := item.(map[string]any)
		inner := Object{Fields: fields, Place: o.FieldPlace(path), offset: o.offset}
		if !ok {
			return nil, &Error{Place: inner.Place, Problem: fmt.Sprintf("item %d of the list is no Kubernetes object", i)}
		}
		if list := resolve(child(o.node, "items")); list != nil {
			inner.node = resolve(child(list, i))
		}
		if kind != "" && fields["apiVersion"] == nil && fields["kind"] == nil {
			fields["apiVersion"], fields["kind"] = o.APIVersion(), kind
		}
		var err error
		if objects, err = inner.flatten(objects, depth+1); err != nil {
			return nil, err
		}
	}
	return objects, nil
}
