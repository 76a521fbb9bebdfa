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

// Scalar is a single value of any kind, as it is written: 1.10 stays 1.10.
type Scalar struct {
	text string
	set  bool
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Scalar) UnmarshalText(b []byte) error {
	s.text, s.set = string(b), true
	return nil
}

// String gives the text without its quotes; of an empty value it is null.
func (s Scalar) String() string {
	if !s.set {
		return "null"
	}
	return s.text
}
