package kubeyaml

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Object is one Kubernetes object.
type Object struct {
	// Fields are as JSON gives them: map[string]any, []any, string, bool, int64, float64, nil.
	Fields map[string]any
	// Place is where the object is written.
	Place

	// node and offset tell the lines of fields.
	node   *yaml.Node
	offset int
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

// Key is what a cluster tells objects apart by. Versions of an API show the same object, and no namespace is the
// namespace default.
func (o *Object) Key() [4]string {
	ns := o.Namespace()
	if ns == "" {
		ns = "default"
	}
	return [4]string{o.group(), o.Kind(), ns, o.Name()}
}

func (o *Object) group() string {
	group, _, found := strings.Cut(o.APIVersion(), "/")
	if !found {
		return ""
	}
	return group
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

// check refuses what no cluster would take, and what clients drop without a word.
func (o *Object) check() error {
	bad := func(problem, advice string) error { return &Error{Place: o.Place, Problem: problem, Advice: advice} }
	meta := o.metadata()
	switch {
	case o.APIVersion() == "" || o.Kind() == "":
		return bad("this is no Kubernetes object: it has no apiVersion or no kind", "keep other files out of the folder of manifests")
	case strings.Count(o.APIVersion(), "/") > 1 || strings.HasPrefix(o.APIVersion(), "/") || strings.HasSuffix(o.APIVersion(), "/"):
		return bad(fmt.Sprintf("%s has the apiVersion %q, which is not one", o.Kind(), o.APIVersion()), "write GROUP/VERSION, such as apps/v1")
	case notText(meta["name"]) || notText(meta["namespace"]):
		return bad(o.Kind()+" has a name or namespace that YAML takes for a number or a boolean", "write it in quotes")
	case o.Name() == "" && meta["generateName"] != nil:
		return bad(o.Kind()+" has generateName: a new object would be made at every apply", "give it a name")
	case o.Name() == "":
		return bad(o.Kind()+" has no name", "set metadata.name")
	}
	for _, field := range []string{"labels", "annotations"} {
		if err := o.checkTexts(Path{"metadata", field}, meta[field]); err != nil {
			return err
		}
	}
	return nil
}

// checkTexts refuses a set of fields that are not all text: of such labels and annotations clients see none at all.
func (o *Object) checkTexts(path Path, v any) error {
	if v == nil {
		return nil
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return o.Misfit(path, v, "a set of fields")
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if _, ok := fields[key].(string); !ok {
			return o.Misfit(path.With(key), fields[key], "text")
		}
	}
	return nil
}

// Misfit is the error for a field whose value is not what Kubernetes wants there.
func (o *Object) Misfit(path Path, v any, want string) error {
	advice := ""
	switch want {
	case "text":
		advice = "write it in quotes"
	case "base64":
		advice = "encode it; in a Secret, plain text stands under stringData"
	}
	is := describe(v)
	if o.Kind() == "Secret" { // logs of builds are read by many
		is = typeOf(v)
	}
	return &Error{Place: o.FieldPlace(path), Problem: fmt.Sprintf("%s: %s is %s, not %s", o.ID(), path, is, want), Advice: advice}
}

// describe names a value's type, and a scalar's value.
func describe(v any) string {
	switch v.(type) {
	case bool:
		return fmt.Sprintf("the boolean %v", v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	}
	return typeOf(v)
}

// typeOf names a value's type.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "empty"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	}
	return "a set of fields"
}

// FieldPlace tells where a field is written; of what is not there, where it should be.
func (o *Object) FieldPlace(path Path) Place {
	line := 0
	for n := o.node; n != nil; {
		line = n.Line + o.offset
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
	if n == nil {
		return nil // the object came from no text
	}
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
