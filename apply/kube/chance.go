package kube

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// forgetChance removes from what a dry run made of a Service the node ports, that of the health check included, that neither
// the objects say nor the release wants: the server picks them for the dry run alone, and refuses them in a real write, for
// which it picks others.
func forgetChance(dry *unstructured.Unstructured, known ...*unstructured.Unstructured) {
	if dry == nil || dry.GetKind() != "Service" || dry.GetAPIVersion() != "v1" {
		return
	}
	if len(known) > 0 && !slices.ContainsFunc(known, hasHealthPort) {
		unstructured.RemoveNestedField(dry.Object, "spec", "healthCheckNodePort")
	}
	real := map[any]bool{}
	for _, u := range known {
		for _, p := range servicePorts(u) {
			real[p["nodePort"]] = true
		}
	}
	for _, p := range servicePorts(dry) {
		if !real[p["nodePort"]] {
			delete(p, "nodePort")
		}
	}
}

func hasHealthPort(u *unstructured.Unstructured) bool {
	if u == nil {
		return false
	}
	_, there, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "healthCheckNodePort")
	return there
}

// servicePorts are the ports themselves, not copies.
func servicePorts(u *unstructured.Unstructured) []map[string]any {
	if u == nil {
		return nil
	}
	spec, _ := u.Object["spec"].(map[string]any)
	list, _ := spec["ports"].([]any)
	var out []map[string]any
	for _, p := range list {
		if m, ok := p.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
