package kubeyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// looksLikeJSON tells whether a document may be JSON, as kubectl does.
func (d document) looksLikeJSON() bool {
	return bytes.HasPrefix(bytes.TrimLeft(d.raw, " \t\n"), []byte("{"))
}

// checkJSON returns an error if a document is not a row of JSON values.
func (d document) checkJSON(file string) error {
	dec := json.NewDecoder(bytes.NewReader(d.raw))
	for {
		var skipped json.RawMessage
		err := dec.Decode(&skipped)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			line := d.offset + 1 + bytes.Count(d.raw[:dec.InputOffset()], []byte("\n"))
			return notJSON(Place{file, line}, err)
		}
	}
}

// jsonReader reads a row of JSON values, and where each key and value stands.
type jsonReader struct {
	file  string
	raw   []byte
	dec   *json.Decoder
	at    int // bytes of raw whose lines are counted
	line  int // lines before at
	depth int
}

// readJSON gives the objects of a document that checkJSON has accepted.
func (d document) readJSON(file string) ([]Object, error) {
	if err := d.checkEscapes(file); err != nil {
		return nil, err
	}
	r := &jsonReader{file: file, raw: d.raw, dec: json.NewDecoder(bytes.NewReader(d.raw)), line: d.offset}
	var objects []Object
	for {
		start := r.dec.InputOffset()
		node, err := r.value()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		place := Place{file, node.Line}
		if node.Kind != yaml.MappingNode {
			return nil, notAnObject(place)
		}
		fields, err := decodeFields(d.raw[start:r.dec.InputOffset()])
		if err != nil {
			return nil, notJSON(place, err)
		}
		objects = append(objects, Object{Fields: fields, Place: place, node: node})
	}
}

// countLines gives the line of what ends at an offset, which must not be below the last one.
func (r *jsonReader) countLines(offset int) int {
	r.line += bytes.Count(r.raw[r.at:offset], []byte("\n"))
	r.at = offset
	return r.line + 1
}

// value reads the next value. Its node has kind, line, keys and text, which is what places are told by.
func (r *jsonReader) value() (*yaml.Node, error) {
	t, err := r.dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil, err
	case err != nil:
		return nil, notJSON(Place{r.file, r.line + 1}, err)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: r.countLines(int(r.dec.InputOffset()))}
	delim, ok := t.(json.Delim)
	if !ok {
		n.Value = fmt.Sprint(t)
		return n, nil
	}
	if r.depth++; r.depth > maxDepth {
		return nil, tooDeep(Place{r.file, n.Line})
	}
	n.Kind = yaml.SequenceNode
	if delim == '{' {
		n.Kind = yaml.MappingNode
	}
	if err := r.content(n); err != nil {
		return nil, err
	}
	_, err = r.dec.Token() // the closing bracket
	r.depth--
	return n, err
}

func (r *jsonReader) content(n *yaml.Node) error {
	seen := map[string]int{}
	for r.dec.More() {
		v, err := r.value()
		if err != nil {
			return err
		}
		if n.Content = append(n.Content, v); n.Kind != yaml.MappingNode {
			continue
		}
		if first := seen[v.Value]; first > 0 {
			return repeated(Place{r.file, v.Line}, v.Value, first)
		}
		seen[v.Value] = v.Line
		if v, err = r.value(); err != nil {
			return err
		}
		n.Content = append(n.Content, v)
	}
	return nil
}

// escapes are JSON's for a UTF-16 unit: a pair of surrogates, a unit, or any other escape.
var escapes = regexp.MustCompile(`(?i)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\u([0-9a-f]{4})|\\[^u]`)

// checkEscapes refuses halves of surrogate pairs, which Go's reader replaces.
func (d document) checkEscapes(file string) error {
	for _, m := range escapes.FindAllSubmatchIndex(d.raw, -1) {
		if m[6] < 0 {
			continue
		}
		if unit := d.raw[m[6]:m[7]]; (unit[0] == 'd' || unit[0] == 'D') && unit[1] >= '8' {
			return &Error{Place: Place{file, d.offset + 1 + bytes.Count(d.raw[:m[0]], []byte("\n"))},
				Problem: fmt.Sprintf(`there is half of a surrogate pair, \u%s`, unit), Advice: "write both halves, or the character itself"}
		}
	}
	return nil
}
