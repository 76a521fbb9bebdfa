package kubeyaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v2"
)

// Marshal writes one object as a YAML document, keys sorted; the same object always gives the same bytes. What would be
// read back as anything else is written as JSON, which is YAML too.
func Marshal(fields map[string]any) ([]byte, error) {
	if b, err := yaml.Marshal(fields); err == nil && readsAs(b, fields) {
		return b, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		return nil, err
	}
	out := escapeControls(b.Bytes())
	if !readsAs(out, fields) {
		return nil, fmt.Errorf("the object cannot be written so that it is read as it is")
	}
	return out, nil
}

// escapeControls makes JSON that is YAML: YAML takes fewer characters as they are.
func escapeControls(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, r := range string(b) {
		if printable(r) && r != 0x85 {
			out = append(out, string(r)...)
			continue
		}
		out = fmt.Appendf(out, `\u%04x`, r)
	}
	return out
}

// readsAs tells whether b is one document with the object.
func readsAs(b []byte, fields map[string]any) bool {
	var objects []Object
	err := split("", b, func(d document) error {
		found, err := d.objects("")
		objects = append(objects, found...)
		return err
	})
	return err == nil && len(objects) == 1 && reflect.DeepEqual(objects[0].Fields, fields)
}

// Join makes one stream of documents.
func Join(documents [][]byte) []byte { return bytes.Join(documents, []byte("---\n")) }
