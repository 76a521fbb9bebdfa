package manifest

import (
	"errors"
	"testing"
)

// Whatever a file holds, the answer is objects that can be written again, with their images, or a typed error.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: app:1}]}\n---\n# nothing\n",
		"apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: v1, kind: A, metadata: {name: a}}\n- *a\n",
		"apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec: &x {<<: {volumes: [{image: {reference: A}}]}, y: *x}\n",
		"--- a\n", "- a\n", "a: [", "{\"apiVersion\": \"v1\", \"kind\": \"A\", \"metadata\": {\"name\": \"a\"}}",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, isJSON bool) {
		name := "a.yaml"
		if isJSON {
			name = "a.json"
		}
		objects, err := parse(name, b)
		if err != nil {
			checkTyped(t, err)
			return
		}
		r := &Rendered{Objects: objects}
		if _, err := r.Marshal(); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
		uses, err := r.Images([]ImageField{{APIVersion: "v1", Kind: "A", Path: "spec[*].a"}})
		if err != nil {
			checkTyped(t, err)
		}
		for _, u := range uses {
			if u.Line < 1 {
				t.Errorf("%s has no line", u.Field)
			}
		}
	})
}

func checkTyped(t *testing.T, err error) {
	t.Helper()
	var e *Error
	var image *ImageError
	if !errors.As(err, &e) && !errors.As(err, &image) {
		t.Errorf("%v (%T) is no typed error", err, err)
	}
}
