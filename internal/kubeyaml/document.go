package kubeyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"
)

const (
	// MaxFile is the size in bytes of the largest file that is read.
	MaxFile = 64 << 20
	// MaxObject is the size in bytes of the largest object, as Marshal writes it: what an API server takes in a request.
	MaxObject = 3 << 20
	// MaxObjects is how many objects a release may have.
	MaxObjects = 1 << 16
	// maxDepth bounds how deep objects are nested.
	maxDepth = 256
)

// Read gives the objects in b, lists taken apart. File is the name for messages; one that ends in .json must hold JSON.
// Every error is an *Error.
func Read(file string, b []byte) ([]Object, error) {
	var objects []Object
	err := Each(file, b, func(o Object) error {
		objects = append(objects, o)
		return nil
	})
	return objects, err
}

// Each is Read for many objects: it keeps none of them. An error of found ends it and is returned.
func Each(file string, b []byte, found func(Object) error) error {
	if len(b) > MaxFile {
		return &Error{Place: Place{File: file}, Problem: fmt.Sprintf("this is larger than %d bytes", MaxFile)}
	}
	text, err := plainText(file, b)
	if err != nil {
		return err
	}
	n := 0
	return split(file, text, func(d document) error {
		objects, err := d.objects(file)
		if err != nil {
			return err
		}
		for _, whole := range objects {
			flat, err := whole.flatten(nil, 0)
			if err != nil {
				return err
			}
			for _, o := range flat {
				if n++; n > MaxObjects {
					return &Error{Place: o.Place, Problem: fmt.Sprintf("there are more than %d objects up to here", MaxObjects)}
				}
				if err := found(o); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// FromJSON gives the objects of one JSON value; all of them get the place.
func FromJSON(b []byte, place Place) ([]Object, error) {
	fields, err := decodeFields(b)
	if err != nil {
		return nil, notJSON(place, err)
	}
	return Object{Fields: fields, Place: place}.flatten(nil, 0)
}

// objects reads one document: no object, one, or in JSON several. Lists are still whole.
func (d document) objects(file string) ([]Object, error) {
	if d.looksLikeJSON() || filepath.Ext(file) == ".json" {
		err := d.checkJSON(file)
		if err == nil {
			return d.readJSON(file)
		}
		if filepath.Ext(file) == ".json" {
			return nil, err
		}
	}
	return d.readYAML(file)
}

func (d document) readYAML(file string) ([]Object, error) {
	if err := d.checkPrintable(file); err != nil {
		return nil, err
	}
	root, err := d.node(file)
	if root == nil || err != nil {
		return nil, err
	}
	place := Place{file, root.Line + d.offset}
	if root.Kind != yaml.MappingNode {
		return nil, notAnObject(place)
	}
	c := &checker{file: file, offset: d.offset, left: 20*len(d.raw) + 8<<20}
	if err := c.check(root, 0); err != nil {
		return nil, err
	}
	asJSON, err := kyaml.YAMLToJSON(d.raw)
	if err != nil {
		return nil, SyntaxError(file, d.offset, err)
	}
	fields, err := decodeFields(asJSON)
	if err != nil {
		return nil, SyntaxError(file, d.offset, err)
	}
	if err := c.compare(root, fields); err != nil {
		return nil, err
	}
	return []Object{{Fields: fields, Place: place, node: root, offset: d.offset}}, nil
}

// node parses the document; nil if it is empty or null.
func (d document) node(file string) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(d.raw))
	var root, second yaml.Node
	if err := dec.Decode(&root); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, SyntaxError(file, d.offset, err)
	}
	// What parts documents in a way that split does not see, kubectl does not see either.
	if err := dec.Decode(&second); err == nil {
		return nil, &Error{Place: Place{file, d.offset + second.Line}, Problem: "a second document begins here", Advice: "write --- on a line of its own before it"}
	} else if !errors.Is(err, io.EOF) {
		return nil, SyntaxError(file, d.offset, err)
	}
	if root.Content[0].ShortTag() == "!!null" {
		return nil, nil
	}
	return root.Content[0], nil
}

// decodeFields decodes JSON. Whole numbers become int64, so that they are the same when they are read again.
func decodeFields(asJSON []byte) (map[string]any, error) {
	var fields map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(asJSON, &fields); err != nil {
		return nil, err
	}
	return wholeNumbers(fields).(map[string]any), nil
}

// DecodeJSON decodes one JSON value as the fields of objects are decoded: whole numbers become int64.
func DecodeJSON(b []byte) (any, error) {
	var v any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(b, &v); err != nil {
		return nil, err
	}
	return wholeNumbers(v), nil
}

func wholeNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = wholeNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = wholeNumbers(v[i])
		}
	case float64:
		if v != math.Trunc(v) {
			return v
		}
		if n, err := strconv.ParseInt(strconv.FormatFloat(v, 'f', -1, 64), 10, 64); err == nil {
			return n
		}
	}
	return v
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// SyntaxError makes an *Error of a YAML parser's: it takes the line, which is counted from the line after offset, out of
// the message.
func SyntaxError(file string, offset int, err error) error {
	message := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	message = strings.TrimPrefix(strings.TrimPrefix(message, "yaml: "), "unmarshal errors:\n  ")
	place := Place{File: file, Line: offset + 1}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			place.Line = offset + n
		}
		message = strings.Replace(message, m[0], "", 1)
	}
	return &Error{Place: place, Problem: "this is not valid YAML: " + unquoted(message)}
}

// The forms in which the parsers of YAML and JSON quote a value. It may be secret: to them, a password that begins with *
// is the name of an anchor.
var (
	quotedAnchor = regexp.MustCompile(`unknown anchor '.*' referenced`)
	quotedText   = regexp.MustCompile("(?s) `.*`")
	quotedNumber = regexp.MustCompile(`(?:json: )?cannot unmarshal number \S+ into Go value of type \w+`)
)

// unquoted takes values out of a parser's message.
func unquoted(message string) string {
	message = quotedAnchor.ReplaceAllLiteralString(message, "a value begins with * and is no text, for it does not stand in quotes")
	message = quotedText.ReplaceAllLiteralString(message, "")
	return quotedNumber.ReplaceAllLiteralString(message, "a number is too large")
}

func notJSON(place Place, err error) error {
	return &Error{Place: place, Problem: "this is not JSON: " + unquoted(err.Error())}
}

func notAnObject(place Place) error {
	return &Error{Place: place, Problem: "this is no Kubernetes object: it has no fields"}
}

func tooDeep(place Place) error {
	return &Error{Place: place, Problem: fmt.Sprintf("it is nested deeper than %d levels", maxDepth)}
}

func repeated(place Place, key string, first int) error {
	return &Error{Place: place, Problem: fmt.Sprintf("the key %q is already set on line %d", key, first), Advice: "keep one of the two"}
}
