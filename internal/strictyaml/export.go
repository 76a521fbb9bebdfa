package strictyaml

import "reflect"

// Fields maps the names that a struct type's fields have in YAML to their types, so that what is published about a
// file can be compared with what Decode accepts.
func Fields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for name, index := range structFields(t) {
		fields[name] = t.FieldByIndex(index).Type
	}
	return fields
}
