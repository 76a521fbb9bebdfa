package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"
)

// maxFile is the size in bytes of the largest manifest file. A cluster refuses objects of more than some 1.5 MiB.
const maxFile = 32 << 20

// document is one document of a file.
type document struct {
	raw    []byte
	offset int // lines before it
}

// readFile reads a file of bounded size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would wait for ever
		return nil, &Error{Place: Place{File: path}, Problem: "this is not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, &Error{Place: Place{File: path}, Problem: fmt.Sprintf("this is larger than %d bytes", maxFile)}
	}
	return b, nil
}

// parseFile reads the objects of a file.
func parseFile(path string) ([]Object, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, b)
}

// parse reads the objects in b; path is for messages.
func parse(path string, b []byte) ([]Object, error) {
	split := splitYAML
	if filepath.Ext(path) == ".json" {
		split = splitJSON
	}
	documents, err := split(path, b)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, doc := range documents {
		found, err := doc.objects(path)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

var separator = regexp.MustCompile(`(?m)^---(.*)$`)

// splitYAML parts a stream at its separators, as kubectl does; only a comment may stand beside one.
func splitYAML(path string, b []byte) ([]document, error) {
	var documents []document
	start, line := 0, 0
	for _, m := range separator.FindAllSubmatchIndex(b, -1) {
		documents = append(documents, document{raw: b[start:m[0]], offset: line})
		line += bytes.Count(b[start:m[0]], []byte("\n"))
		start = m[1]
		rest := bytes.TrimSpace(b[m[2]:m[3]])
		if len(rest) > 0 && rest[0] != '#' {
			return nil, &Error{Place: Place{path, line + 1}, Problem: "there is content on the line of a separator (---)",
				Advice: "begin the document on the next line"}
		}
	}
	return append(documents, document{raw: b[start:], offset: line}), nil
}

// splitJSON parts a stream of JSON values. Tabs between tokens become blanks, because YAML refuses them.
func splitJSON(path string, b []byte) ([]document, error) {
	var documents []document
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		var raw json.RawMessage
		start := dec.InputOffset()
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			line := 1 + bytes.Count(b[:dec.InputOffset()], []byte("\n"))
			return nil, &Error{Place: Place{path, line}, Problem: "this is not JSON", Err: err}
		}
		end := dec.InputOffset()
		documents = append(documents, document{
			raw:    bytes.ReplaceAll(b[start:end], []byte("\t"), []byte(" ")),
			offset: bytes.Count(b[:start], []byte("\n")),
		})
	}
}

// objects reads a document: nothing, one object, or the items of a list.
func (d document) objects(path string) ([]Object, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(d.raw, &root); err != nil {
		return nil, d.syntaxError(path, err)
	}
	if root.Kind != yaml.DocumentNode || root.Content[0].ShortTag() == "!!null" {
		return nil, nil // comments only
	}
	node := root.Content[0]
	place := Place{path, node.Line + d.offset}
	if node.Kind != yaml.MappingNode {
		return nil, &Error{Place: place, Problem: "this is no Kubernetes object: it has no fields"}
	}
	fields, err := d.fields()
	if err != nil {
		return nil, d.syntaxError(path, err)
	}
	return flatten(Object{Fields: fields, Place: place, node: node, lineOffset: d.offset})
}

// fields decodes the document as kubectl does.
func (d document) fields() (map[string]any, error) {
	asJSON, err := kyaml.YAMLToJSONStrict(d.raw)
	if err != nil {
		return nil, err
	}
	return decodeFields(asJSON)
}

// decodeFields decodes JSON; whole numbers become int64.
func decodeFields(asJSON []byte) (map[string]any, error) {
	var fields map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(asJSON, &fields); err != nil {
		return nil, err
	}
	return fields, nil
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// syntaxError takes the line out of a parser's message, where it is counted from the document's begin.
func (d document) syntaxError(path string, err error) error {
	message := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	message = strings.TrimPrefix(strings.TrimPrefix(message, "yaml: "), "unmarshal errors:\n  ")
	place := Place{File: path, Line: d.offset + 1}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			place.Line = d.offset + n
		}
		message = strings.Replace(message, m[0], "", 1)
	}
	return &Error{Place: place, Problem: "this is not valid YAML: " + message}
}

// flatten takes a list apart, and checks what it gives.
func flatten(o Object) ([]Object, error) {
	items, isList := o.Fields["items"].([]any)
	if !isList || !strings.HasSuffix(o.Kind(), "List") {
		return []Object{o}, o.check()
	}
	var objects []Object
	for i, item := range items {
		path := fieldPath{"items", i}
		fields, ok := item.(map[string]any)
		place := o.fieldPlace(path)
		if !ok {
			return nil, &Error{Place: place, Problem: fmt.Sprintf("item %d of the list is no Kubernetes object", i)}
		}
		inner := Object{Fields: fields, Place: place, lineOffset: o.lineOffset}
		if list := resolve(child(o.node, "items")); list != nil {
			inner.node = resolve(child(list, i))
		}
		found, err := flatten(inner)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}
