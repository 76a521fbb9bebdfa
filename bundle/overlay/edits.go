package overlay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// kind is that of the document that holds the edits of one overlay.
const kind = "Overlay"

const (
	// maxEdits is how many edits an overlay may have, maxPath how many steps lead to what one changes, maxDepth how deep
	// values are nested, maxName the bytes of a name of an object or of a step.
	maxEdits = 1 << 16
	maxPath  = 64
	maxDepth = 256
	maxName  = 1 << 10
)

// Op is what an edit does.
type Op string

// What edits do: to an object as a whole, or to a field.
const (
	Add    Op = "add"    // the object is Value
	Delete Op = "delete" // there is no such object
	Set    Op = "set"    // the field is Value
	Remove Op = "remove" // there is no such field
)

// Edit is one change of one object.
type Edit struct {
	Object Key   `json:"object"`
	Op     Op    `json:"op"`
	Path   Path  `json:"path,omitempty"` // of a field
	Value  Value `json:"value,omitzero"`
	// First and After say where a new item stands in its list: before all others, or after the item that After tells;
	// otherwise, and if there is none, it stands at the end.
	First bool  `json:"first,omitempty"`
	After *Step `json:"after,omitempty"`
}

// String names what is edited.
func (e *Edit) String() string {
	if len(e.Path) == 0 {
		return e.Object.String()
	}
	return e.Object.String() + ": " + e.Path.String()
}

// same tells whether two edits lead to the same.
func (e *Edit) same(o *Edit) bool {
	return e.Object == o.Object && e.Op == o.Op && len(e.Path) == len(o.Path) && e.Path.covers(o.Path) && reflect.DeepEqual(e.Value, o.Value)
}

// Value is a value as package kubeyaml has it.
type Value struct{ V any }

// IsZero tells that there is none.
func (v Value) IsZero() bool { return v.V == nil }

// MarshalJSON writes the value.
func (v Value) MarshalJSON() ([]byte, error) { return plain(v.V) }

// UnmarshalJSON reads the value.
func (v *Value) UnmarshalJSON(b []byte) (err error) {
	v.V, err = kubeyaml.DecodeJSON(b)
	return err
}

// document is the edits of one overlay as they are written.
type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Edits      []Edit `json:"edits"`
}

// Marshal gives the one byte form of an overlay's edits.
func Marshal(edits []Edit) ([]byte, error) {
	b, err := encode(edits)
	if err == nil {
		err = check(edits)
	}
	if err == nil && len(b) > bundle.MaxOverlaySize {
		err = fmt.Errorf("its edits have %d bytes, more than %d", len(b), bundle.MaxOverlaySize)
	}
	return b, err
}

func encode(edits []Edit) ([]byte, error) {
	if edits == nil {
		edits = []Edit{}
	}
	return plain(document{bundle.APIVersion, kind, edits})
}

// Parse reads the one byte form that Marshal writes and refuses every other.
func Parse(b []byte) ([]Edit, error) {
	if len(b) > bundle.MaxOverlaySize {
		return nil, fmt.Errorf("its edits have %d bytes, more than %d", len(b), bundle.MaxOverlaySize)
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("its edits do not parse: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("its edits have bytes after their end")
	}
	if d.APIVersion != bundle.APIVersion || d.Kind != kind {
		return nil, fmt.Errorf("it is %.80q %.80q, not %s %s", d.APIVersion, d.Kind, bundle.APIVersion, kind)
	}
	if err := check(d.Edits); err != nil {
		return nil, err
	}
	again, err := encode(d.Edits)
	if err != nil || !bytes.Equal(again, b) {
		return nil, errors.New("its edits are not in their one byte form")
	}
	return d.Edits, nil
}

// check refuses edits that say nothing, or the same thing twice.
func check(edits []Edit) error {
	if len(edits) > maxEdits {
		return fmt.Errorf("it has %d edits, more than %d", len(edits), maxEdits)
	}
	for i := range edits {
		if err := edits[i].check(); err != nil {
			return fmt.Errorf("edit %d: %w", i, err)
		}
	}
	return checkOverlap(edits)
}

// checkOverlap refuses two edits of which one changes what the other does.
func checkOverlap(edits []Edit) error {
	for key, of := range byObject(edits) {
		if len(of) > maxObjectEdits {
			return fmt.Errorf("it has %d edits of %s, more than %d", len(of), key, maxObjectEdits)
		}
		t := &trie{}
		for _, e := range of {
			if !t.add(e.Path) {
				return fmt.Errorf("%s: %s is edited twice", key, e.Path)
			}
		}
	}
	return nil
}

// byObject gives pointers to the edits of each object, in their order.
func byObject(edits []Edit) map[Key][]*Edit {
	m := map[Key][]*Edit{}
	for i := range edits {
		m[edits[i].Object] = append(m[edits[i].Object], &edits[i])
	}
	return m
}

func (e *Edit) check() error {
	last := Step{}
	if len(e.Path) > 0 {
		last = e.Path[len(e.Path)-1]
	}
	whole := e.Op == Add || e.Op == Delete
	switch {
	case e.Op != Add && e.Op != Delete && e.Op != Set && e.Op != Remove:
		return fmt.Errorf("%.40q is nothing that an edit does", e.Op)
	case (e.Op == Add || e.Op == Set) == e.Value.IsZero():
		return errors.New("it has no value, or one that it has no use for")
	case whole != (len(e.Path) == 0) || len(e.Path) > maxPath:
		return fmt.Errorf("a path of %d steps is no path of what it does", len(e.Path))
	case (e.First || e.After != nil) && (e.Op != Set || last.Field == "") || e.First && e.After != nil:
		return errors.New("it has a place in a list, and is no new item of one")
	case e.After != nil && e.After.Field == "":
		return errors.New("it stands after something that is no item")
	}
	if err := e.checkNames(); err != nil {
		return err
	}
	if err := shallow(e.Value.V, 0); err != nil {
		return err
	}
	return e.checkValue(last)
}

func (e *Edit) checkNames() error {
	texts := []string{e.Object.Group, e.Object.Kind, e.Object.Namespace, e.Object.Name}
	for _, s := range e.Path {
		name, _ := s.Value.(string)
		texts = append(texts, s.Key, s.Field, name)
	}
	for _, n := range texts {
		if len(n) > maxName || !utf8.ValidString(n) {
			return fmt.Errorf("a name is not text of at most %d bytes", maxName)
		}
	}
	if e.Object.Kind == "" || e.Object.Name == "" || e.Object.Namespace == "default" {
		return errors.New("it names no object")
	}
	return nil
}

// checkValue wants a new object to be the one that is named, and a new item too.
func (e *Edit) checkValue(last Step) error {
	fields, isMap := e.Value.V.(map[string]any)
	switch {
	case e.Op == Add:
		o := kubeyaml.Object{Fields: fields}
		if KeyOf(&o) != e.Object {
			return fmt.Errorf("the object that it adds is not %s", e.Object)
		}
	case e.Op == Set && last.Field != "" && (!isMap || fields[last.Field] != last.Value):
		return fmt.Errorf("the item that it sets has not %s: %v", last.Field, last.Value)
	}
	return nil
}

// shallow refuses a value that is nested too deep.
func shallow(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("a value is nested deeper than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			if err := shallow(inner, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := shallow(inner, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
