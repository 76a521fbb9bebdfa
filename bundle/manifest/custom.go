package manifest

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// A custom resource whose CustomResourceDefinition comes in the same release cannot be tried at a site before the
// definition is there, when something runs on it already. Its schema is at hand here: fields that it does not have, values
// of another type and fields that are missing are errors of the release. What a schema says beyond that (formats,
// alternatives, rules in CEL) is left to the site's API server.

// kindOf is what a definition defines: a group and a kind.
type kindOf struct{ group, kind string }

// CheckCustom holds the custom resources to the schemas of the definitions beside them. With partial, fields may be missing:
// what is rendered is not yet what a site gets.
func (r *Rendered) CheckCustom(partial bool) error {
	schemas := map[kindOf]map[string]any{} // the specs of the definitions
	for i := range r.Objects {
		o := &r.Objects[i]
		if o.group() == "apiextensions.k8s.io" && o.Kind() == "CustomResourceDefinition" {
			spec := fieldsOf(o.Fields["spec"])
			group, _ := spec["group"].(string)
			kind, _ := fieldsOf(spec["names"])["kind"].(string)
			schemas[kindOf{group, kind}] = spec
		}
	}
	for i := range r.Objects {
		o := &r.Objects[i]
		spec := schemas[kindOf{o.group(), o.Kind()}]
		if spec == nil {
			continue
		}
		if err := checkCustom(o, spec, partial); err != nil {
			return err
		}
	}
	return nil
}

func checkCustom(o *Object, spec map[string]any, partial bool) error {
	_, version, _ := strings.Cut(o.APIVersion(), "/")
	var served []string
	for _, v := range listOf(spec["versions"]) {
		m := fieldsOf(v)
		name, _ := m["name"].(string)
		if ok, _ := m["served"].(bool); !ok {
			continue
		}
		served = append(served, name)
		if name != version {
			continue
		}
		schema := fieldsOf(fieldsOf(m["schema"])["openAPIV3Schema"])
		if all, _ := spec["preserveUnknownFields"].(bool); schema == nil || all {
			return nil
		}
		j := judge{object: o, partial: partial}
		return j.value(nil, o.Fields, schema, true)
	}
	return &Error{Place: o.Place, Problem: fmt.Sprintf("%s: its CustomResourceDefinition serves no version %s", o.ID(), version),
		Advice: "it serves " + strings.Join(served, ", ")}
}

// judge holds one object to a schema.
type judge struct {
	object  *Object
	partial bool
}

// value judges the value at a path. A resource is an object with kind and metadata of its own.
func (j *judge) value(at kubeyaml.Path, v any, schema map[string]any, resource bool) error {
	if v == nil {
		return nil // the field is left out, or may be null: the server knows
	}
	if isTrue(schema["x-kubernetes-int-or-string"]) {
		_, text := v.(string)
		if !text && !isWhole(v) {
			return j.object.Misfit(at, v, "a whole number or text")
		}
		return nil
	}
	if want, fits := fitsType(v, schema["type"]); !fits {
		return j.object.Misfit(at, v, want)
	}
	if allowed := listOf(schema["enum"]); allowed != nil && !slices.ContainsFunc(allowed, func(a any) bool { return reflect.DeepEqual(a, v) }) {
		return j.fail(at, "is none of the values that its CustomResourceDefinition allows", "")
	}
	switch v := v.(type) {
	case map[string]any:
		return j.fields(at, v, schema, resource || isTrue(schema["x-kubernetes-embedded-resource"]))
	case []any:
		for i, item := range v {
			if err := j.value(at.With(i), item, fieldsOf(schema["items"]), false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *judge) fields(at kubeyaml.Path, v, schema map[string]any, resource bool) error {
	known, more := fieldsOf(schema["properties"]), schema["additionalProperties"]
	for _, name := range slices.Sorted(maps.Keys(v)) {
		path := at.With(name)
		property, ok := known[name]
		switch {
		case resource && slices.Contains([]string{"apiVersion", "kind", "metadata"}, name):
			continue
		case ok:
		case isTrue(schema["x-kubernetes-preserve-unknown-fields"]), isTrue(more):
			continue
		case fieldsOf(more) != nil:
			property = more
		default:
			return j.fail(path, "is no field that its CustomResourceDefinition has", "a site would drop it or refuse the object; correct the name, or the definition's schema")
		}
		if err := j.value(path, v[name], fieldsOf(property), false); err != nil {
			return err
		}
	}
	if j.partial {
		return nil
	}
	for _, r := range listOf(schema["required"]) {
		name, _ := r.(string)
		if _, there := v[name]; !there && fieldsOf(known[name])["default"] == nil {
			return j.fail(at.With(name), "is missing, and its CustomResourceDefinition requires it", "")
		}
	}
	return nil
}

func (j *judge) fail(at kubeyaml.Path, problem, advice string) error {
	return &Error{Place: j.object.FieldPlace(at), Problem: fmt.Sprintf("%s: %s %s", j.object.ID(), at, problem), Advice: advice}
}

// fitsType tells whether a value has the type that a schema wants, and how people call that.
func fitsType(v, want any) (name string, fits bool) {
	switch want {
	case "object":
		_, fits = v.(map[string]any)
		return "a set of fields", fits
	case "array":
		_, fits = v.([]any)
		return "a list", fits
	case "string":
		_, fits = v.(string)
		return "text", fits
	case "boolean":
		_, fits = v.(bool)
		return "a boolean", fits
	case "integer":
		return "a whole number", isWhole(v)
	case "number":
		_, float := v.(float64)
		return "a number", float || isWhole(v)
	}
	return "", true
}

func isWhole(v any) bool {
	f, float := v.(float64)
	_, whole := v.(int64)
	return whole || float && f == math.Trunc(f)
}

func isTrue(v any) bool {
	b, _ := v.(bool)
	return b
}

func fieldsOf(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func listOf(v any) []any {
	l, _ := v.([]any)
	return l
}
