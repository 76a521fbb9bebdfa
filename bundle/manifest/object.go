package manifest

import (
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// Object is one Kubernetes object. Its place is where it is written, or for what kustomize made without a model, its
// kustomization.yaml; for what a chart gives, the template.
type Object struct {
	kubeyaml.Object

	// tree is the files that a kustomization is made of; nil for plain YAML.
	tree *tree
}

// group is the object's API group; empty is that of Kubernetes' core.
func (o *Object) group() string {
	group, _, found := strings.Cut(o.APIVersion(), "/")
	if !found {
		return ""
	}
	return group
}

// annotation gives the value of an annotation.
func (o *Object) annotation(name string) string {
	meta, _ := o.Fields["metadata"].(map[string]any)
	all, _ := meta["annotations"].(map[string]any)
	value, _ := all[name].(string)
	return value
}

// RunsAt tells whether the object is a hook of Helm's for an event, such as pre-upgrade.
func (o *Object) RunsAt(event string) bool {
	return slices.ContainsFunc(strings.Split(o.annotation("helm.sh/hook"), ","), func(word string) bool {
		return strings.EqualFold(strings.TrimSpace(word), event)
	})
}

func (o *Object) setNamespace(namespace string) {
	if meta, ok := o.Fields["metadata"].(map[string]any); ok {
		meta["namespace"] = namespace
	}
}
