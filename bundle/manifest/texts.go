package manifest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// checkTexts refuses what is no text where a kind of Kubernetes' own wants text: an argument 8080, a label true, a value
// without quotes in a ConfigMap. A server refuses such an object as a whole, or clients take the field for empty; both
// show only at the site. Fields of custom resources are left to their definitions.
func (o *Object) checkTexts() error {
	known, err := scheme.Scheme.New(schema.FromAPIVersionAndKind(o.APIVersion(), o.Kind()))
	if err != nil {
		return nil //nolint:nilerr // no kind of Kubernetes' own
	}
	return o.checkValue(reflect.TypeOf(known).Elem(), o.Fields, nil)
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// checkValue compares a value with the type that it will be decoded into.
func (o *Object) checkValue(t reflect.Type, v any, path kubeyaml.Path) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return nil // quantities, ports by name or number, and the like
	}
	switch t.Kind() {
	case reflect.String:
		if _, ok := v.(string); !ok {
			return o.Misfit(path, v, "text")
		}
	case reflect.Struct:
		return o.checkFields(t, v, path)
	case reflect.Map:
		return o.checkEntries(t.Elem(), v, path)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return o.checkBytes(v, path)
		}
		return o.checkItems(t.Elem(), v, path)
	}
	return nil
}

// checkFields goes through what is set of a struct; what is empty counts as not set.
func (o *Object) checkFields(t reflect.Type, v any, path kubeyaml.Path) error {
	fields, _ := v.(map[string]any)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && (f.Anonymous || strings.Contains(options, "inline")):
			if err := o.checkFields(f.Type, v, path); err != nil {
				return err
			}
		case fields[name] != nil:
			if err := o.checkValue(f.Type, fields[name], path.With(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *Object) checkEntries(element reflect.Type, v any, path kubeyaml.Path) error {
	fields, ok := v.(map[string]any)
	if !ok {
		return o.Misfit(path, v, "a set of fields")
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if err := o.checkValue(element, fields[key], path.With(key)); err != nil {
			return err
		}
	}
	return nil
}

// checkBytes wants base64, as the server reads it: with line ends in it, if need be.
func (o *Object) checkBytes(v any, path kubeyaml.Path) error {
	text, ok := v.(string)
	if !ok {
		return o.Misfit(path, v, "text")
	}
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		return o.Misfit(path, v, "base64")
	}
	return nil
}

func (o *Object) checkItems(element reflect.Type, v any, path kubeyaml.Path) error {
	items, ok := v.([]any)
	if !ok {
		return o.Misfit(path, v, "a list")
	}
	for i, item := range items {
		if err := o.checkValue(element, item, path.With(i)); err != nil {
			return err
		}
	}
	return nil
}
