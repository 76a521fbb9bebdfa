package inspect

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// ObjectID names a Kubernetes object.
type ObjectID struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String is how people write it: Deployment warehouse/pick-engine.
func (id ObjectID) String() string {
	if id.Namespace == "" {
		return id.Kind + " " + id.Name
	}
	return id.Kind + " " + id.Namespace + "/" + id.Name
}

// object is an object that is decoded only if it turns out to have changed.
type object struct {
	id   ObjectID
	yaml []byte
}

func (o object) fields() (map[string]any, error) {
	var m map[string]any
	if err := yaml.Unmarshal(o.yaml, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", o.id, err)
	}
	return m, nil
}

// maxObject bounds one object in bytes: what an API server takes in one request. Decoded, YAML can take a hundred times
// its own size.
const maxObject = 3 << 20

// splitObjects takes a multi-document stream apart. Within a document no line can be "---" (YAML 1.2, 9.1.2).
func splitObjects(stream []byte) ([]object, error) {
	var out []object
	for _, doc := range documents(stream) {
		var head struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
			Metadata   struct {
				Name      string `yaml:"name"`
				Namespace string `yaml:"namespace"`
			} `yaml:"metadata"`
		}
		if len(doc) > maxObject {
			return nil, fmt.Errorf("one of them has %d bytes, more than %d", len(doc), maxObject)
		}
		if err := yaml.Unmarshal(doc, &head); err != nil {
			return nil, err
		}
		if head.Kind == "" && head.Metadata.Name == "" {
			continue // an empty document
		}
		id := ObjectID{APIVersion: head.APIVersion, Kind: head.Kind, Namespace: head.Metadata.Namespace, Name: head.Metadata.Name}
		out = append(out, object{id: id, yaml: doc})
	}
	return out, nil
}

func documents(stream []byte) [][]byte {
	var docs [][]byte
	start := 0
	for pos := 0; pos < len(stream); {
		end := len(stream)
		if i := bytes.IndexByte(stream[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		if string(bytes.TrimRight(stream[pos:end], " \r\n")) == "---" {
			docs, start = append(docs, stream[start:pos]), end
		}
		pos = end
	}
	return append(docs, stream[start:])
}
