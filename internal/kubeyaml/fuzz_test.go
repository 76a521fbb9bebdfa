package kubeyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Whatever the factory reads it can write, and the site reads the very same objects from that.
func FuzzRead(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, isJSON bool) {
		name := "a.yaml"
		if isJSON {
			name = "a.json"
		}
		objects, err := Read(name, b)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%v (%T) is no *Error", err, err)
			}
			return
		}
		again := rewrite(t, objects)
		if len(again) != len(objects) {
			t.Fatalf("%d objects became %d", len(objects), len(again))
		}
		for i := range objects {
			if !reflect.DeepEqual(objects[i].Fields, again[i].Fields) {
				t.Errorf("%v became %v", objects[i].Fields, again[i].Fields)
			}
			if objects[i].Line < 1 {
				t.Errorf("%s has no line", objects[i].ID())
			}
		}
	})
}

func rewrite(t *testing.T, objects []Object) []Object {
	t.Helper()
	var documents [][]byte
	for _, o := range objects {
		b, err := Marshal(o.Fields)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		documents = append(documents, b)
	}
	again, err := Read("again.yaml", Join(documents))
	if err != nil {
		t.Fatalf("what was written cannot be read: %v\n%s", err, Join(documents))
	}
	return again
}

func seeds() []string {
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	return []string{
		head, head + "---\n# nothing\n--- # c\n" + head, head + "...\n", head + "...\n---\n" + head, "%YAML 1.1\n---\n" + head,
		"\xEF\xBB\xBF" + head + "---\n\xEF\xBB\xBF" + head, strings.ReplaceAll(head, "\n", "\r\n"),
		"\xFF\xFEa\x00:\x00 \x00b\x00", "--- a\n", "- a\n", "a: [", head + "data: &x {<<: {a: b}, c: d}\n",
		"apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: v1, kind: A, metadata: {name: a}}\n- *a\n",
		head + "data: {a: yes, b: 1e3, c: 0x1, d: 012, e: 2001-01-01, f: ~, g: 'x ', h: 18446744073709551615, i: 1.0, j: 1_000, k: -0.0}\n",
		head + "data: {a: 'yes', b: '1e3', c: '0x1', d: '012', e: '2001-01-01', f: 'null', g: ' x ', h: '=', i: '<<', j: '~', k: ''}\n",
		head + "data: {a: \"\\x92\\x7f\\uFFFF\\0\\N\\L\\P\\uFEFF\", b: \"\\t a\\n \\n\", c: \"\\U0001F600\"}\n",
		head + "data:\n  a: |+\n    x\n\n  b: >-\n    y\n     z\n", head + "data: {on: x, 1: y, 9000: z}\n",
		`{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}, "x": "\ud83d\ude00\u0092"}{"apiVersion":"v1"}`,
	}
}

// Any text, as a value or as a key, comes back from what the factory writes.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"yes", "1e3", "0x1", "012", "0b1", "1_000", "12:30:45", "2001-01-01", "null", "~", "", " ", "x ", " x", "x\n", "\nx",
		"x\n\n", "\tx", "x\t\n y", "a: b", "# a", "a #b", "- a", "? a", "---", "...", "---\na", "%YAML", "<<", "=", "!a", "&a", "*a", "\u0085", "\u2028", "\u2029",
		"\u0092", "\u007f", "\uffff", "\ufeff", "\ufeff---", "\x00", "\x1b[31m", "\U0001F600", "'", "\"", "\\", "{", "[", strings.Repeat("long ", 40), strings.Repeat("x", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		fields := map[string]any{"apiVersion": "v1", "kind": "A", "metadata": map[string]any{"name": "a", "labels": map[string]any{s: s}},
			"spec": []any{s, map[string]any{"x": s}}}
		b, err := Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := Read("a.yaml", Join([][]byte{b, b}))
		if err != nil || len(objects) != 2 || !reflect.DeepEqual(objects[0].Fields, fields) || !reflect.DeepEqual(objects[1].Fields, fields) {
			t.Errorf("%q became %v, %v in\n%s", s, objects, err, b)
		}
		asJSON, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		objects, err = Read("a.json", bytes.Repeat(asJSON, 2))
		if err != nil || len(objects) != 2 || !reflect.DeepEqual(objects[1].Fields, fields) {
			t.Errorf("%q became %v, %v in JSON", s, objects, err)
		}
	})
}
