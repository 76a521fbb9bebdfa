package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// MaxSize is the size in bytes of the largest document that is read.
const MaxSize = 1 << 20

const (
	maxDepth = 64
	// maxCost bounds the memory that a document can ask for, by aliases or by long names: the sum over all nodes
	// of nodeCost and the bytes of the path.
	maxCost  = 32 << 20
	nodeCost = 16
)

// Decode reads the one document in b into the struct that into points to. File is the name for messages. Fields that
// the document leaves out keep the values they have, so defaults may be set before. Every error of the document is an
// *Error; the positions are valid only without one.
func Decode(file string, b []byte, into any) (*Positions, error) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("strictyaml: cannot decode into %T, only into a pointer to a struct", into)
	}
	root, err := parse(file, b)
	if err != nil {
		return nil, err
	}
	d := &decoder{positions: &Positions{file: file, lines: map[string]int{}}}
	if err := d.value(root, v.Elem(), "", 0); err != nil {
		return nil, err
	}
	return d.positions, nil
}

// parse gives the root node of the only document in b.
func parse(file string, b []byte) (*yaml.Node, error) {
	if len(b) > MaxSize {
		return nil, &Error{File: file, Problem: fmt.Sprintf("is larger than %d bytes", MaxSize)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, &Error{File: file, Line: 1, Problem: "the document is empty"}
	case err != nil:
		return nil, syntaxError(file, err)
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, &Error{File: file, Line: second.Line, Problem: "a second document starts here",
			Advice: "keep one document in this file"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(file, err)
	}
	root := doc.Content[0]
	if isNull(root) {
		return nil, &Error{File: file, Line: 1, Problem: "the document is empty"}
	}
	return root, nil
}

var yamlMessage = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxError turns the parser's message, which may name a line, into an *Error.
func syntaxError(file string, err error) *Error {
	e := &Error{File: file, Problem: "not valid YAML: " + err.Error(), Err: err}
	if m := yamlMessage.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1]) // no digits: no line, which is what 0 says
		e.Problem = "not valid YAML: " + m[2]
	}
	return e
}

// decoder walks the nodes in the document's order, so that the first error is the topmost one.
type decoder struct {
	positions *Positions
	cost      int
}

// fail makes an error at a node, which unlike a path's line is right even while the paths are being collected.
func (d *decoder) fail(n *yaml.Node, path, problem, hint string) error {
	if path == "" {
		problem = "the document " + problem
	}
	return &Error{File: d.positions.file, Line: n.Line, Field: path, Problem: problem, Advice: hint}
}

// enter resolves an alias and counts the node against the limits.
func (d *decoder) enter(n *yaml.Node, path string, depth int) (*yaml.Node, error) {
	if d.cost += nodeCost + len(path); d.cost > maxCost {
		return nil, &Error{File: d.positions.file, Line: n.Line, Problem: "the document is too large from here on",
			Advice: "use fewer aliases and shorter names"}
	}
	if depth > maxDepth {
		return nil, &Error{File: d.positions.file, Line: n.Line,
			Problem: fmt.Sprintf("the document is nested deeper than %d levels", maxDepth)}
	}
	if _, ok := d.positions.lines[path]; !ok {
		d.positions.lines[path] = n.Line
	}
	return resolve(n), nil
}

// value decodes a node into v, which is settable.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, depth int) error {
	n, err := d.enter(n, path, depth)
	if err != nil {
		return err
	}
	if isNull(n) {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return d.value(n, v.Elem(), path, depth+1)
	}
	if done, err := d.text(n, v, path); done {
		return err
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.structure(n, v, path, depth)
	case reflect.Map:
		return d.mapping(n, v, path, depth)
	case reflect.Slice:
		return d.list(n, v, path, depth)
	case reflect.Interface:
		return d.anything(n, v, path, depth)
	}
	return d.scalar(n, v, path)
}

// pairs calls f for each key and value of a mapping and refuses keys that are not text, merge keys and repeated ones.
func (d *decoder) pairs(n *yaml.Node, path string, f func(key, value *yaml.Node, path string) error) error {
	if n.Kind != yaml.MappingNode {
		return d.fail(n, path, "is "+describe(n)+", not a set of fields", "")
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		sub := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			return d.fail(key, path, "has a name that is not plain text", "")
		case key.ShortTag() == "!!merge":
			return d.fail(key, path, "uses a merge key (<<), which is not allowed here", "write the fields out")
		case key.ShortTag() != "!!str":
			return d.fail(key, sub, "has a name that YAML takes for "+describe(key),
				fmt.Sprintf("write %q, with quotes", key.Value))
		}
		if line, ok := seen[key.Value]; ok {
			return d.fail(key, sub, fmt.Sprintf("is set twice, first on line %d", line), "keep one of the two")
		}
		seen[key.Value] = key.Line
		if _, ok := d.positions.lines[sub]; !ok {
			d.positions.lines[sub] = key.Line
		}
		if err := f(key, value, sub); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string, depth int) error {
	fields := structFields(v.Type())
	return d.pairs(n, path, func(key, value *yaml.Node, sub string) error {
		index, ok := fields[key.Value]
		if !ok {
			return d.fail(key, sub, "is not a field here", suggest(key.Value, fields))
		}
		return d.value(value, v.FieldByIndex(index), sub, depth+1)
	})
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string, depth int) error {
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		return fmt.Errorf("strictyaml: %s has the type %s, whose keys are not strings", path, t)
	}
	m := reflect.MakeMap(t)
	err := d.pairs(n, path, func(key, value *yaml.Node, sub string) error {
		item := reflect.New(t.Elem()).Elem()
		if err := d.value(value, item, sub, depth+1); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(t.Key()), item)
		return nil
	})
	if err == nil {
		v.Set(m)
	}
	return err
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string, depth int) error {
	if n.Kind != yaml.SequenceNode {
		return d.fail(n, path, "is "+describe(n)+", not a list", "write each item on its own line, after a dash")
	}
	// Grown by appending: an alias can promise more items than the node limit lets through.
	items := reflect.MakeSlice(v.Type(), 0, 0)
	for i, child := range n.Content {
		sub := fmt.Sprintf("%s[%d]", path, i)
		if isNull(resolve(child)) && v.Type().Elem().Kind() != reflect.Interface {
			return d.fail(child, sub, "is empty", "")
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(child, item, sub, depth+1); err != nil {
			return err
		}
		items = reflect.Append(items, item)
	}
	v.Set(items)
	return nil
}

// resolve gives the node that an alias stands for, or the node itself.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
