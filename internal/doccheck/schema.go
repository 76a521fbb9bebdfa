// Package doccheck holds what docs/ publishes for machines against the program: the JSON schemas of release.yaml and
// site.yaml, and the systemd units. Only tests use it.
package doccheck

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

// Schema is one of docs/schema.
type Schema struct{ compiled *jsonschema.Schema }

// Release is the schema of release.yaml.
func Release() (*Schema, error) { return load("release.schema.json") }

// Site is the schema of site.yaml.
func Site() (*Schema, error) { return load("site.schema.json") }

func load(name string) (*Schema, error) {
	raw, err := os.ReadFile(filepath.Join(Root(), "docs", "schema", name))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020
	c.AssertFormat = true
	c.ExtractAnnotations = true
	c.LoadURL = func(url string) (io.ReadCloser, error) { return nil, fmt.Errorf("it asks for %s", url) }
	if err := c.AddResource(name, bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	s, err := c.Compile(name)
	if err != nil {
		return nil, err
	}
	return &Schema{s}, nil
}

// Root is the folder of go.mod above the working folder, which is that of the package under test; "." if there is none.
func Root() string {
	for dir := "."; ; dir = filepath.Join(dir, "..") {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if abs, err := filepath.Abs(dir); err != nil || abs == filepath.Dir(abs) {
			return "."
		}
	}
}

// Validate tells what an editor would mark in a YAML document.
func (s *Schema) Validate(text string) error {
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		return err
	}
	return s.compiled.Validate(doc)
}

// Compare lists the differences between the schema and the struct type that the file is decoded into: fields that one
// of them lacks, fields of another type, objects that are open, and fields that nothing is said about. The fields in
// except, as in spec.checks[].job, are those that the program knows only to refuse: the schema must not have them.
func (s *Schema) Compare(t reflect.Type, except []string) []string {
	c := &comparison{except: except}
	c.value("", s.compiled, t)
	for _, field := range except {
		if !slices.Contains(c.met, field) {
			c.say(field, "is excepted and is no field")
		}
	}
	return c.differences
}

type comparison struct {
	except, met, differences []string
}

func (c *comparison) say(at, format string, args ...any) {
	c.differences = append(c.differences, at+" "+fmt.Sprintf(format, args...))
}

var (
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
	timeType = reflect.TypeFor[time.Time]()
)

func (c *comparison) value(at string, s *jsonschema.Schema, t reflect.Type) {
	if s.Description == "" && s.Ref == nil && !strings.HasSuffix(at, "[]") {
		c.say(at, "has no description")
	}
	for s.Ref != nil {
		s = s.Ref
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	want := jsonType(t)
	if !slices.Equal(s.Types, []string{want}) {
		c.say(at, "is %v in the schema, not %s", s.Types, want)
		return
	}
	switch {
	case t == timeType && s.Format != "date-time":
		c.say(at, "is a time, and its format is not date-time")
	case want == "array":
		if s.Items2020 == nil {
			c.say(at, "has items of any kind")
			return
		}
		c.value(at+"[]", s.Items2020, t.Elem())
	case want == "object" && t.Kind() == reflect.Map:
		values, ok := s.AdditionalProperties.(*jsonschema.Schema)
		if !ok || !slices.Equal(values.Types, jsonTypes(t.Elem())) {
			c.say(at, "does not say what its values are")
		}
	case want == "object":
		c.object(at, s, t)
	}
}

// object compares the fields of a struct, both ways.
func (c *comparison) object(at string, s *jsonschema.Schema, t reflect.Type) {
	if s.AdditionalProperties != false {
		c.say(at, "allows fields that are not in the schema")
	}
	fields := strictyaml.Fields(t)
	for name, field := range fields {
		sub := strings.TrimPrefix(at+"."+name, ".")
		published, ok := s.Properties[name]
		switch excepted := slices.Contains(c.except, sub); {
		case excepted:
			c.met = append(c.met, sub)
			if ok {
				c.say(sub, "is in the schema, though the program refuses it")
			}
		case !ok:
			c.say(sub, "is not in the schema")
		default:
			c.value(sub, published, field)
		}
	}
	for name := range s.Properties {
		if _, ok := fields[name]; !ok {
			c.say(strings.TrimPrefix(at+"."+name, "."), "is in the schema only")
		}
	}
}

// jsonTypes are what a value of type t may be in a document.
func jsonTypes(t reflect.Type) []string {
	if t == reflect.TypeFor[strictyaml.Scalar]() {
		return []string{"string", "number", "boolean", "null"}
	}
	return []string{jsonType(t)}
}

// jsonType is what a field of type t is in a document.
func jsonType(t reflect.Type) string {
	if reflect.PointerTo(t).Implements(textType) {
		return "string"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return "what a " + t.String() + " holds"
}
