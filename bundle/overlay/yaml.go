package overlay

import (
	"bytes"
	"fmt"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// YAML does the edits to the rendered objects of a release, a stream as kubeyaml.Join makes it, and tells how many objects
// come of it.
func (c *Combined) YAML(baseline []byte) (stream []byte, objects int, err error) {
	var docs [][]byte
	err = c.Each(baseline, func(doc []byte) error {
		docs = append(docs, doc)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return kubeyaml.Join(docs), len(docs), nil
}

// Each does the edits to the rendered objects of a release and hands out one document after another. Those that no edit is about
// keep their bytes. One object at a time is decoded.
func (c *Combined) Each(baseline []byte, found func(doc []byte) error) error {
	w := &writer{found: found}
	seen := map[Key]bool{}
	for doc := range documents(baseline) {
		o, err := one(doc)
		if err != nil {
			return err
		}
		k := KeyOf(o)
		if seen[k] {
			return fmt.Errorf("%s is in the release twice", k)
		}
		seen[k] = true
		if !c.Touches(k) {
			err = w.add(doc)
		} else if o.Fields, err = c.Edit(k, o.Fields); err == nil {
			err = w.object(k, o.Fields)
		}
		if err != nil {
			return err
		}
	}
	rest, err := c.Rest(nil, seen)
	if err != nil {
		return err
	}
	for i := range rest {
		if err := w.object(KeyOf(&rest[i]), rest[i].Fields); err != nil {
			return err
		}
	}
	return nil
}

// writer counts documents and hands them on.
type writer struct {
	found       func(doc []byte) error
	count, size int
}

func (w *writer) add(doc []byte) error {
	w.count++
	if w.size += len(doc) + len("---\n"); w.size > bundle.MaxObjectsSize || w.count > bundle.MaxObjects {
		return fmt.Errorf("with its overlays the release has more than %d objects in %d bytes", bundle.MaxObjects, bundle.MaxObjectsSize)
	}
	return w.found(doc)
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
	return w.add(b)
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
