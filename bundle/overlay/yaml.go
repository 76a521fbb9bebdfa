package overlay

import (
	"bytes"
	"fmt"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// YAML does the edits to the rendered objects of a release, a stream as kubeyaml.Join makes it, and tells how many objects
// come of it. Documents that no edit is about keep their bytes. One object at a time is decoded.
func (c *Combined) YAML(baseline []byte) (stream []byte, objects int, err error) {
	w := &writer{}
	seen := map[Key]bool{}
	for doc := range documents(baseline) {
		o, err := one(doc)
		if err != nil {
			return nil, 0, err
		}
		k := KeyOf(o)
		switch {
		case seen[k]:
			return nil, 0, fmt.Errorf("%s is in the release twice", k)
		case !c.Touches(k):
			w.add(doc)
		default:
			fields, err := c.Edit(k, o.Fields)
			if err == nil {
				err = w.object(k, fields)
			}
			if err != nil {
				return nil, 0, err
			}
		}
		seen[k] = true
	}
	rest, err := c.Rest(nil, seen)
	if err != nil {
		return nil, 0, err
	}
	for i := range rest {
		if err := w.object(KeyOf(&rest[i]), rest[i].Fields); err != nil {
			return nil, 0, err
		}
	}
	if w.size > bundle.MaxObjectsSize || len(w.docs) > bundle.MaxObjects {
		return nil, 0, fmt.Errorf("with its overlays the release has %d objects in %d bytes, more than %d in %d", len(w.docs), w.size,
			bundle.MaxObjects, bundle.MaxObjectsSize)
	}
	return kubeyaml.Join(w.docs), len(w.docs), nil
}

// writer collects documents.
type writer struct {
	docs [][]byte
	size int
}

func (w *writer) add(doc []byte) {
	w.docs = append(w.docs, doc)
	w.size += len(doc) + len("---\n")
}

func (w *writer) object(k Key, fields map[string]any) error {
	if fields == nil {
		return nil
	}
	b, err := kubeyaml.Marshal(fields)
	if err == nil && len(b) > kubeyaml.MaxObject {
		err = fmt.Errorf("it has %d bytes, more than the %d that an API server takes", len(b), kubeyaml.MaxObject)
	}
	if err != nil {
		return fmt.Errorf("%s with its overlays: %w", k, err)
	}
	w.add(b)
	return nil
}

// documents parts a stream that kubeyaml.Join has made.
func documents(stream []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(stream) > 0 {
			end, next := len(stream), len(stream)
			if i := bytes.Index(stream, []byte("\n---\n")); i >= 0 {
				end, next = i+1, i+len("\n---\n")
			}
			if !yield(stream[:end:end]) {
				return
			}
			stream = stream[next:]
		}
	}
}

// one reads a document that holds one object.
func one(doc []byte) (*kubeyaml.Object, error) {
	found, err := kubeyaml.Read("", doc)
	if err != nil {
		return nil, fmt.Errorf("the objects of the release: %w", err)
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("the objects of the release: a document holds %d, not one", len(found))
	}
	return &found[0], nil
}
