package overlay

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// Layer is an overlay with its edits.
type Layer struct {
	bundle.Overlay
	Changes []Edit
}

// maxObjectEdits is how many edits of one object the overlays of a site may have: each takes a look at the lists on its way.
const maxObjectEdits = 1 << 13

var errNoObject = errors.New("there is no such object")

// Combined is the edits of all overlays that a site takes, ready to be done to its objects. It changes nothing that it is
// given, so several goroutines may use it.
type Combined struct {
	edits map[Key][]owned
	added []Key // objects that some edit adds, in the order of the edits
	names []string
}

// Combine takes the layers that a site takes, in any order. That two of them fight is an error.
func Combine(layers []Layer) (*Combined, error) {
	layers = sorted(layers)
	if fights := Fights(layers); len(fights) > 0 {
		return nil, &fights[0]
	}
	c := &Combined{edits: map[Key][]owned{}}
	for i := range layers {
		c.names = append(c.names, layers[i].Name)
		for k := range layers[i].Changes {
			e := owned{&layers[i].Changes[k], i}
			if e.Op == Add && !slices.Contains(c.added, e.Object) {
				c.added = append(c.added, e.Object)
			}
			c.edits[e.Object] = append(c.edits[e.Object], e)
		}
	}
	for key, edits := range c.edits {
		if len(edits) > maxObjectEdits {
			return nil, fmt.Errorf("the overlays have %d edits of %s, more than %d", len(edits), key, maxObjectEdits)
		}
		c.edits[key] = effective(layers, edits)
	}
	return c, nil
}

// sorted is the layers in the one order of overlays.
func sorted(layers []Layer) []Layer {
	layers = slices.Clone(layers)
	slices.SortFunc(layers, func(a, b Layer) int { return bundle.CompareOverlays(&a.Overlay, &b.Overlay) })
	return layers
}

// effective leaves out the edits of one object that do not count: a more specific overlay has one at the same path, or above.
func effective(layers []Layer, edits []owned) []owned {
	root := &trie{}
	for _, e := range edits {
		t := root
		for _, s := range e.Path {
			t = t.step(s)
		}
		t.edits = append(t.edits, e)
	}
	return slices.DeleteFunc(edits, func(e owned) bool {
		t := root
		for i := 0; ; i++ {
			for _, o := range t.edits {
				if layers[o.overlay].Refines(&layers[e.overlay].Overlay) {
					return true
				}
			}
			if i == len(e.Path) {
				return false
			}
			t = t.next[e.Path[i]]
		}
	})
}

// Touches tells whether any edit is about an object.
func (c *Combined) Touches(k Key) bool { return len(c.edits[k]) > 0 }

// Edit gives what becomes of an object: nil if it is deleted. What it is given stays as it is, and may be shared with what
// comes back. Of an object that is not there fields are nil.
func (c *Combined) Edit(k Key, fields map[string]any) (map[string]any, error) {
	for _, e := range c.edits[k] {
		var err error
		switch e.Op {
		case Add:
			fields, _ = e.Value.V.(map[string]any)
		case Delete:
			fields = nil
		default:
			if fields == nil {
				return nil, c.failed(e, errNoObject)
			}
			var v any
			if v, err = e.do(fields, e.Path); err != nil {
				return nil, c.failed(e, err)
			}
			fields, _ = v.(map[string]any)
		}
	}
	if o := (kubeyaml.Object{Fields: fields}); fields != nil && KeyOf(&o) != k {
		return nil, fmt.Errorf("the overlays give %s another name: %s", k, KeyOf(&o))
	}
	return fields, nil
}

func (c *Combined) failed(e owned, err error) error {
	return fmt.Errorf("overlay %s: %s: %w", c.names[e.overlay], e.Edit, err)
}

// Objects does the edits to all objects. New ones come last.
func (c *Combined) Objects(objects []kubeyaml.Object) ([]kubeyaml.Object, error) {
	out := make([]kubeyaml.Object, 0, len(objects)+len(c.added))
	seen := map[Key]bool{}
	for i := range objects {
		o := objects[i]
		k := KeyOf(&o)
		if c.Touches(k) {
			seen[k] = true
			fields, err := c.Edit(k, o.Fields)
			if err != nil {
				return nil, err
			}
			if fields == nil {
				continue
			}
			o = kubeyaml.Object{Fields: fields, Place: o.Place}
		}
		out = append(out, o)
	}
	return c.Rest(out, seen)
}

// Rest appends the objects that were not there, after all that seen names. An edit of an object that is nowhere is an error.
func (c *Combined) Rest(objects []kubeyaml.Object, seen map[Key]bool) ([]kubeyaml.Object, error) {
	for _, k := range c.added {
		if seen[k] {
			continue
		}
		seen[k] = true
		fields, err := c.Edit(k, nil)
		if err != nil {
			return nil, err
		}
		if fields != nil {
			objects = append(objects, kubeyaml.Object{Fields: fields})
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(c.edits), Key.compare) {
		edits := c.edits[k]
		if !seen[k] && slices.ContainsFunc(edits, func(e owned) bool { return e.Op != Delete }) {
			return nil, c.failed(edits[0], errNoObject)
		}
	}
	return objects, nil
}
