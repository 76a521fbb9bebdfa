package overlay

import (
	"fmt"
	"strings"
	"testing"
)

// Each document has one fault.
func TestParseRefuses(t *testing.T) {
	const (
		object = `"object":{"group":"apps","kind":"Deployment","namespace":"shop","name":"web"}`
		good   = `{` + object + `,"op":"set","path":["spec","replicas"],"value":2}`
		head   = `{"apiVersion":"sallyport.dev/v1","kind":"Overlay","edits":[`
	)
	if _, err := Parse([]byte(head + good + `]}`)); err != nil {
		t.Fatal(err)
	}
	for edits, want := range map[string]string{
		`{` + object + `,"op":"set","path":["spec"],"value":2,"more":1}`:                         "unknown field",
		`{` + object + `,"op":"move","path":["spec"]}`:                                           "nothing that an edit does",
		`{` + object + `,"op":"set","path":["spec"]}`:                                            "no value",
		`{` + object + `,"op":"remove","path":["spec"],"value":1}`:                               "no use for",
		`{` + object + `,"op":"set","value":1}`:                                                  "path of 0 steps",
		`{` + object + `,"op":"delete","path":["spec"]}`:                                         "path of 1 steps",
		`{` + object + `,"op":"remove","path":[` + strings.Repeat(`"a",`, 64) + `"a"]}`:          "path of 65 steps",
		`{` + object + `,"op":"set","path":["spec"],"value":2,"first":true}`:                     "place in a list",
		`{` + object + `,"op":"set","path":["c",{"name":"a"}],"value":{"name":"a"},"after":"b"}`: "after something that is no item",
		`{` + object + `,"op":"set","path":["c",{"name":"a"}],"value":{"name":"b"}}`:             "has not name: a",
		`{` + object + `,"op":"set","path":["c",{"name":["a"]}],"value":1}`:                      "neither a key nor an item",
		`{` + object + `,"op":"set","path":["c",{"name":"a","x":"b"}],"value":1}`:                "neither a key nor an item",
		`{"object":{"kind":"","name":"web"},"op":"delete"}`:                                      "names no object",
		`{"object":{"kind":"Pod","namespace":"default","name":"web"},"op":"delete"}`:             "names no object",
		`{` + object + `,"op":"add","value":{"apiVersion":"v1","kind":"Pod"}}`:                   "the object that it adds is not Deployment shop/web",
		good + `,` + good: "edited twice",
		good + `,{` + object + `,"op":"remove","path":["spec"]}`:                                            "edited twice",
		good + `,{` + object + `,"op":"delete"}`:                                                            "edited twice",
		strings.Replace(good, `"value":2`, `"value":2.0`, 1):                                                "one byte form",
		strings.Replace(good, `"value":2`, `"value":{"b":1,"a":2}`, 1):                                      "one byte form",
		strings.Replace(good, `"value":2`, `"value":{"a":1,"a":1}`, 1):                                      "one byte form",
		strings.Replace(good, `"value":2`, `"value":"\u0041"`, 1):                                           "one byte form",
		strings.Replace(good, `"value":2`, `"value":`+strings.Repeat("[", 300)+strings.Repeat("]", 300), 1): "deeper than 256",
		strings.Replace(good, `"replicas"`, `"`+strings.Repeat("x", 1025)+`"`, 1):                           "at most 1024 bytes",
		" " + good: "one byte form",
	} {
		if _, err := Parse([]byte(head + edits + `]}`)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", edits, err, want)
		}
	}
	for doc, want := range map[string]string{
		``:                   "do not parse",
		head + good + `]} `:  "one byte form",
		head + good + `]}{}`: "bytes after their end",
		strings.Replace(head, "v1", "v2", 1) + `]}`:                       `"sallyport.dev/v2"`,
		strings.Replace(head, "Overlay", "Other", 1) + `]}`:               `"Other"`,
		`{"apiVersion":"sallyport.dev/v1","kind":"Overlay","edits":null}`: "one byte form",
		head + strings.Repeat(" ", 4<<20) + `]}`:                          "more than 4194304",
	} {
		if _, err := Parse([]byte(doc)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v, want %s", doc, err, want)
		}
	}
	var many []Edit
	for i := range maxObjectEdits + 1 {
		many = append(many, Edit{Object: Key{Kind: "Pod", Name: "a"}, Op: Remove, Path: Path{{Key: fmt.Sprint(i)}}})
	}
	if _, err := Marshal(many); err == nil || !strings.Contains(err.Error(), "more than 8192") {
		t.Errorf("too many edits of one object: %v", err)
	}
}
