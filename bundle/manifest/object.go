package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Object is one Kubernetes object.
type Object struct {
	// Fields are as JSON gives them: map[string]any, []any, string, bool, int64, float64, nil.
	Fields map[string]any
	// Place is where the object is written, or for what kustomize made without a model, its kustomization.yaml.
	Place

	// node and lineOffset tell the lines of fields, for objects that stand in their file as they are.
	node       *yaml.Node
	lineOffset int
	// tree is the files that a kustomization is made of; nil for plain YAML.
	tree *tree
}

// APIVersion is the object's group and version, apps/v1.
func (o *Object) APIVersion() string { return text(o.Fields["apiVersion"]) }

// Kind is the object's kind.
func (o *Object) Kind() string { return text(o.Fields["kind"]) }

// Name is metadata.name.
func (o *Object) Name() string { return text(o.metadata()["name"]) }

// Namespace is metadata.namespace; it may be empty.
func (o *Object) Namespace() string { return text(o.metadata()["namespace"]) }

// ID names the object for people: Deployment warehouse/pick-engine.
func (o *Object) ID() string {
	if ns := o.Namespace(); ns != "" {
		return o.Kind() + " " + ns + "/" + o.Name()
	}
	return o.Kind() + " " + o.Name()
}

// key is what a cluster tells objects apart by. Versions of an API show the same object.
func (o *Object) key() [4]string {
	group, _, found := strings.Cut(o.APIVersion(), "/")
	if !found {
		group = ""
	}
	return [4]string{group, o.Kind(), o.Namespace(), o.Name()}
}

func (o *Object) metadata() map[string]any {
	m, _ := o.Fields["metadata"].(map[string]any)
	return m
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// notText reports whether a field is set to something else than text.
func notText(v any) bool {
	_, ok := v.(string)
	return v != nil && !ok
}

// check refuses what no cluster would take.
func (o *Object) check() error {
	bad := func(problem, advice string) error {
		return &Error{Place: o.Place, Problem: problem, Advice: advice}
	}
	switch {
	case o.APIVersion() == "" || o.Kind() == "":
		return bad("this is no Kubernetes object: it has no apiVersion or no kind", "keep other files out of the folder of manifests")
	case notText(o.metadata()["name"]) || notText(o.metadata()["namespace"]):
		return bad(o.Kind()+" has a name or namespace that YAML takes for a number or a boolean", "write it in quotes")
	case o.Name() == "" && o.metadata()["generateName"] != nil:
		return bad(o.Kind()+" has generateName: a new object would be made at every apply", "give it a name")
	case o.Name() == "":
		return bad(o.Kind()+" has no name", "set metadata.name")
	}
	return nil
}

// fieldPlace tells where a field is written.
func (o *Object) fieldPlace(path fieldPath) Place {
	line := 0
	for n := o.node; n != nil; {
		line = n.Line + o.lineOffset
		if len(path) == 0 {
			break
		}
		n = child(resolve(n), path[0])
		path = path[1:]
	}
	if line == 0 {
		return o.Place
	}
	return Place{File: o.File, Line: line}
}

// child gives the node of a map's key (a string) or a list's item (an int); nil if there is none.
func child(n *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step]
		}
	}
	return nil
}

// resolve gives what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
