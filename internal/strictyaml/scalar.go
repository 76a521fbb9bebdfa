package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// text hands a scalar to v's UnmarshalText, if it has one; done tells whether it has.
func (d *decoder) text(n *yaml.Node, v reflect.Value, path string) (done bool, err error) {
	u, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	if !ok {
		return false, nil
	}
	if n.Kind != yaml.ScalarNode {
		return true, d.fail(n, path, "is "+describe(n)+", not a single value", "")
	}
	err = u.UnmarshalText([]byte(n.Value))
	var moment *time.ParseError
	switch {
	case errors.As(err, &moment):
		return true, d.fail(n, path, fmt.Sprintf("is %q, not a time", n.Value), "write it as 2027-06-30T00:00:00Z")
	case err != nil:
		return true, &Error{File: d.positions.file, Line: n.Line, Field: path, Err: err,
			Problem: "is not valid: " + err.Error()}
	}
	return true, nil
}

// scalar decodes into a string, a boolean or a number.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) error {
	want, ok := wanted(v.Kind())
	if !ok {
		return fmt.Errorf("strictyaml: %s has the type %s, which cannot be decoded", path, v.Type())
	}
	if n.Kind != yaml.ScalarNode {
		return d.fail(n, path, "is "+describe(n)+", not "+want, "")
	}
	if v.Kind() == reflect.String {
		if n.ShortTag() != "!!str" {
			return d.fail(n, path, "is "+describe(n)+", not text", fmt.Sprintf("write %q, with quotes", n.Value))
		}
		v.SetString(n.Value)
		return nil
	}
	if !setNumber(n, v) {
		return d.fail(n, path, fmt.Sprintf("is %q, not %s", n.Value, want), "")
	}
	return nil
}

// setNumber decodes into a boolean or a number and reports whether the node holds one that fits.
func setNumber(n *yaml.Node, v reflect.Value) bool {
	tag := n.ShortTag()
	bits := 0
	if v.Kind() != reflect.Bool {
		bits = v.Type().Bits()
	}
	switch v.Kind() {
	case reflect.Bool:
		var b bool
		if tag != "!!bool" || n.Decode(&b) != nil {
			return false
		}
		v.SetBool(b)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(n.Value, bits)
		if (tag != "!!float" && tag != "!!int") || err != nil {
			return false
		}
		v.SetFloat(f)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u, err := strconv.ParseUint(n.Value, 10, bits)
		if tag != "!!int" || err != nil {
			return false
		}
		v.SetUint(u)
	default:
		i, err := strconv.ParseInt(n.Value, 10, bits)
		if tag != "!!int" || err != nil {
			return false
		}
		v.SetInt(i)
	}
	return true
}

// anything decodes into an interface: maps by string, lists, and scalars by their own type.
func (d *decoder) anything(n *yaml.Node, v reflect.Value, path string, depth int) error {
	if v.NumMethod() != 0 {
		return fmt.Errorf("strictyaml: %s has the type %s, which cannot be decoded", path, v.Type())
	}
	var into any
	switch n.Kind {
	case yaml.MappingNode:
		into = &map[string]any{}
	case yaml.SequenceNode:
		into = &[]any{}
	default:
		var scalar any
		if err := n.Decode(&scalar); err != nil {
			return d.fail(n, path, fmt.Sprintf("is %q, which is not a value", n.Value), "")
		}
		v.Set(reflect.ValueOf(&scalar).Elem())
		return nil
	}
	target := reflect.ValueOf(into).Elem()
	var err error
	if target.Kind() == reflect.Map {
		err = d.mapping(n, target, path, depth)
	} else {
		err = d.list(n, target, path, depth)
	}
	if err == nil {
		v.Set(target)
	}
	return err
}

// wanted names what a field of a scalar kind holds.
func wanted(k reflect.Kind) (string, bool) {
	switch k {
	case reflect.String:
		return "text", true
	case reflect.Bool:
		return "true or false", true
	case reflect.Float32, reflect.Float64:
		return "a number", true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number", true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number of 0 or more", true
	}
	return "", false
}

// describe names what a node is.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a set of fields"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!bool":
		return "the boolean " + n.Value
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!timestamp":
		return "the date " + n.Value
	case "!!null":
		return "empty"
	}
	return "a value tagged " + n.ShortTag()
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
