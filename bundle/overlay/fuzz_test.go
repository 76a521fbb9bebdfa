package overlay

import (
	"bytes"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
)

func seeds(f *testing.F) [][]byte {
	var all [][]byte
	for _, l := range []Layer{
		layer(f, "a", "a=1", "replicas: 1", "strategy: {}"),
		layer(f, "b", "a=1", "name: web, n", "name: eu, n"),
		layer(f, "c", "a=1", "containers:\n", "containers:\n      - {name: first, image: registry.example.com/first:1}\n"),
		layer(f, "d", "a=1", "value: base}, ", "value: base}, {name: NEW, value: '<&>'}, "),
		layer(f, "e", "a=1", "name: log,", "name: log, ports: [{containerPort: 80}, {containerPort: 81}],"),
		layer(f, "f", "a=1", "{name: MODE, value: base}, ", ""),
	} {
		b, err := Marshal(l.Changes)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, b)
	}
	return append(all, []byte(`{"apiVersion":"sallyport.dev/v1","kind":"Overlay","edits":[]}`))
}

// What is accepted has one form, and says nothing that no factory says.
func FuzzParse(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		edits, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := Marshal(edits); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q was accepted and is %q, %v", b, again, err)
		}
	})
}

// Any edits of any objects: no panic, no object too large, no object under another's name, the baseline untouched, and the same in
// any order.
func FuzzEdit(f *testing.F) {
	all := seeds(f)
	for i, b := range all {
		f.Add([]byte(deployment), b, all[(i+1)%len(all)], i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, stream, a, b []byte, refines bool) {
		if len(stream) > 1<<16 || len(a)+len(b) > 1<<16 {
			return
		}
		first, err := Parse(a)
		if err != nil {
			return
		}
		second, err := Parse(b)
		if err != nil {
			return
		}
		x := Layer{Overlay: bundle.Overlay{Name: "x", Match: labels("a=1")}, Changes: first}
		y := Layer{Overlay: bundle.Overlay{Name: "y", Match: labels("b=1")}, Changes: second}
		if refines {
			y.Match = labels("a=1,b=1")
		}
		c, err := Combine([]Layer{x, y})
		d, err2 := Combine([]Layer{y, x})
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v in one order, %v in the other", err, err2)
		}
		if err != nil {
			return
		}
		before := bytes.Clone(stream)
		got, n, err := c.YAML(stream)
		again, m, err2 := d.YAML(stream)
		if !bytes.Equal(before, stream) || !bytes.Equal(got, again) || n != m || (err == nil) != (err2 == nil) {
			t.Fatalf("%d objects %q, %v in one order, %d objects %q, %v in the other", n, got, err, m, again, err2)
		}
		if err != nil {
			return
		}
		seen := map[Key]bool{}
		for doc := range documents(got) {
			o, err := one(doc)
			if err != nil || seen[KeyOf(o)] {
				t.Fatalf("%q gives %q: %v", stream, doc, err)
			}
			seen[KeyOf(o)] = true
		}
	})
}
