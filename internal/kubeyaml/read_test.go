package kubeyaml

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

const (
	first  = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n"
	second = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: second}\n"
	bom    = "\xEF\xBB\xBF"
)

func inUTF16(order binary.AppendByteOrder, s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune("\uFEFF" + s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func inUTF32(order binary.AppendByteOrder, s string) string {
	var b []byte
	for _, r := range "\uFEFF" + s {
		b = order.AppendUint32(b, uint32(r))
	}
	return string(b)
}

// All objects of a file arrive, however it was written: fluxcd/flux2#1126 and kubernetes/kubernetes#39007 (UTF-16 from
// PowerShell), kubernetes/kubernetes#140531 (marks), #62410 and kubernetes/kubectl#915 (fields and kinds like lists).
func TestReadNames(t *testing.T) {
	both := first + "---\n" + second
	tests := []struct{ name, file, want string }{
		{"plain", both, "first:1 second:5"},
		{"windows", strings.ReplaceAll(both, "\n", "\r\n"), "first:1 second:5"},
		{"old mac", strings.ReplaceAll(both, "\n", "\r"), "first:1 second:5"},
		{"UTF-16 LE", inUTF16(binary.LittleEndian, both), "first:1 second:5"},
		{"UTF-16 BE", inUTF16(binary.BigEndian, both), "first:1 second:5"},
		{"UTF-16 of a character in two units", inUTF16(binary.LittleEndian, both+"data: {x: \U0001F600}\n"), "first:1 second:5"},
		{"UTF-32 LE", inUTF32(binary.LittleEndian, both), "first:1 second:5"},
		{"UTF-32 BE", inUTF32(binary.BigEndian, both), "first:1 second:5"},
		{"mark at the begin", bom + both, "first:1 second:5"},
		{"mark in a later document", first + "---\n" + bom + second, "first:1 second:5"},
		{"mark before a separator", first + bom + "---\n" + second, "first:1 second:5"},
		{"mark alone", bom, ""},
		{"ended", first + "...\n---\n" + second + "...\n# the end\n", "first:1 second:6"},
		{"ended and again", first + "... # end\n...\n--- # next\n" + second, "first:1 second:7"},
		{"directive", "# c\n%YAML 1.1\n---\n" + first + "...\n%YAML 1.2\n---\n" + second, "first:4 second:10"},
		{"empty documents", "---\n---\n# c\n--- \n" + first + "---\nnull\n---\n~\n---\n", "first:5"},
		{"JSON", `{"apiVersion":"v1","kind":"A","metadata":{"name":"first"}}` + "\n" + `{"apiVersion":"v1","kind":"A","metadata":{"name":"second"}}`, "first:1 second:2"},
		{"JSON and YAML", `{"apiVersion":"v1","kind":"A","metadata":{"name":"first"}}` + "\n---\n" + second, "first:1 second:3"},
		{"flow", "{apiVersion: v1, kind: A, metadata: {name: first}}\n---\n" + second, "first:1 second:3"},
		{"list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: first}}\n- {apiVersion: v1, kind: B, metadata: {name: second}}\n", "first:4 second:5"},
		{"empty list", "apiVersion: v1\nkind: List\nitems: []\n---\napiVersion: v1\nkind: List\n---\napiVersion: v1\nkind: ConfigMapList\nitems: null\n", ""},
		{"typed list", "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleList\nitems:\n- metadata: {name: first}\n", "first:4"},
		{"custom resource with items", "apiVersion: shop.example.com/v1\nkind: Menu\nmetadata: {name: lunch}\nitems:\n- {dish: soup}\n", "lunch:1"},
		{"custom list", "apiVersion: shop.example.com/v1\nkind: AllowList\nmetadata: {name: partners}\nitems: [10.0.0.0/8]\n", "partners:1"},
		{"a list of another group", "apiVersion: shop.example.com/v1\nkind: List\nmetadata: {name: groceries}\nitems: []\n", "groceries:1"},
		{"separator in text", first + "data:\n  x: |\n    ---\n    ...\n", "first:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := Read("a.yaml", []byte(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range objects {
				got = append(got, fmt.Sprintf("%s:%d", o.Name(), o.Line))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
			rewrite(t, objects)
		})
	}
}

func TestTypedItemsGetTheirKind(t *testing.T) {
	objects, err := Read("a.json", []byte(`{"apiVersion":"apps/v1","kind":"DeploymentList","items":[{"metadata":{"name":"a"}},{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"b"}}]}`))
	if err != nil || len(objects) != 2 || objects[0].APIVersion() != "apps/v1" || objects[0].Kind() != "Deployment" {
		t.Errorf("got %v, %v", objects, err)
	}
}

// Values are kubectl's. Control characters: kubernetes/kubernetes#58073, kubernetes-sigs/kustomize#5148; merge keys:
// kubernetes-sigs/yaml#46, go-yaml/yaml#410.
func TestReadValues(t *testing.T) {
	tests := []struct {
		name, yaml string
		want       any
	}{
		{"escaped control", `"don\x92t"`, "don\u0092t"},
		{"DEL and no character", `"\x7f\uFFFF"`, "\u007f\uffff"},
		{"NUL", `"\0"`, "\x00"},
		{"next line", `"a\Nb"`, "a\u0085b"},
		{"date", "2001-01-01", "2001-01-01"},
		{"boolean of YAML 1.1", "on", true},
		{"octal", "0644", int64(420)},
		{"hexadecimal", "0x1F", int64(31)},
		{"whole", "1.0", int64(1)},
		{"exponent", "1e3", int64(1000)},
		{"large", "9007199254740993", int64(9007199254740993)},
		{"larger than any integer", "18446744073709551615", 18446744073709551615.0},
		{"text by its tag", "!!str 0644", "0644"},
		{"empty", "", nil},
		{"merged", "{<<: {a: 1, b: 2}, b: 3}", map[string]any{"a": int64(1), "b": int64(3)}},
		{"merged twice", "{<<: [{a: 1}, {a: 2, b: 2}]}", map[string]any{"a": int64(1), "b": int64(2)}},
		{"key << in quotes", `{"<<": {a: 1}}`, map[string]any{"<<": map[string]any{"a": int64(1)}}},
		{"number as a key", "{9000: a/b}", map[string]any{"9000": "a/b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := Read("a.yaml", []byte("apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec: "+tt.yaml+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range slices.Concat(objects, rewrite(t, objects)) {
				if got := o.Fields["spec"]; fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", tt.want) {
					t.Errorf("got %#v, want %#v", got, tt.want)
				}
			}
		})
	}
}

func TestReadJSONValues(t *testing.T) {
	objects, err := Read("a.yaml", []byte("{\t\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\"},\"x\":\"\\ud83d\\ude00\\u0092\u0092\u007f\\\\ud800\",\"y\":2.0}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range append(objects, rewrite(t, objects)...) {
		if got := o.Fields["x"]; got != "\U0001F600\u0092\u0092\u007f\\ud800" || o.Fields["y"] != int64(2) {
			t.Errorf("got %q, %v", got, o.Fields["y"])
		}
	}
}

func TestReadRefuses(t *testing.T) {
	laughs := first + "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'm'; c++ {
		laughs += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	meta := "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n"
	tests := []struct{ name, file, want string }{
		{"boolean label", meta + "  labels:\n    x: y\n    canary: true\n", "a.yaml:7: A a: metadata.labels.canary is the boolean true, not text"},
		{"number", meta + "  annotations: {a.b/c: 1}\n", "a.yaml:5: A a: metadata.annotations[a.b/c] is the number 1, not text"},
		{"empty label", meta + "  labels: {x: }\n", "metadata.labels.x is empty, not text"},
		{"list of labels", meta + "  labels: [x]\n", "metadata.labels is a list, not a set of fields"},
		{"text after the end", first + "...\n" + second, "a.yaml:5: there is text after the document's end"},
		{"text beside the end", first + "... x\n", "a.yaml:4: there is content on the line"},
		{"text beside a separator", first + "--- {a: b}\n", "a.yaml:4: there is content on the line"},
		{"a line of dashes", first + "-----\n", "a.yaml:4: there is content on the line"},
		{"mark in the middle", first + bom + second, "a.yaml:4: a byte order mark stands inside a document"},
		{"another line end", first + "\u0085---\u0085" + second, "a second document begins here"},
		{"tag directive", "%TAG ! tag:example.com,2000:\n---\n" + first, "a.yaml:1: there is a directive"},
		{"raw control", first + "data: {x: don\u0092t}\n", "a.yaml:4: there is a control character, U+0092"},
		{"no mark", strings.Join(strings.Split(first, ""), "\x00"), "U+0000"},
		{"Latin-1", first + "data: {x: don\x92t}\n", "a.yaml:4: this is not UTF-8 text"},
		{"half of UTF-16", inUTF16(binary.LittleEndian, first) + "x", "ends in the middle"},
		{"half a pair in UTF-16", inUTF16(binary.LittleEndian, first) + "\x00\xd8", "a.yaml:4: this UTF-16 text has half"},
		{"no character in UTF-32", inUTF32(binary.LittleEndian, first) + "\x00\x00\x11\x00", "a.yaml:4: this UTF-32 text has bytes"},
		{"repeated", "apiVersion: v1\nkind: A\nkind: A\n", `a.yaml:3: the key "kind" is already set on line 2`},
		{"repeated in two spellings", first + "data: {1: a, \"1\": b}\n", `the key "1" is already set`},
		{"repeated in JSON", "{\"apiVersion\":\"v1\",\n\"kind\":\"A\",\n\"kind\":\"A\"}", `a.yaml:3: the key "kind" is already set on line 2`},
		{"half a pair in JSON", "{\"apiVersion\":\"v1\",\n\"kind\":\"\\ud800\"}", `a.yaml:2: there is half of a surrogate pair, \ud800`},
		{"halves in the wrong order", `{"apiVersion":"v1","kind":"\udc00\ud800"}`, `half of a surrogate pair, \udc00`},
		{"key on", first + "data:\n  on: x\n", "a.yaml:5: the key on is a boolean or a number"},
		{"merge key last", first + "data: {a: b, <<: {a: c}}\n", `a.yaml:4: the merge key (<<) stands after "a"`},
		{"merge of text", first + "data: {<<: x}\n", "this is not valid YAML: map merge requires map"},
		{"own tag", first + "data: {x: !secret y}\n", "a.yaml:4: there is a tag, a word behind !, that"},
		{"binary", first + "data: {x: !!binary gIGC}\n", "there is a tag"},
		{"no number", first + "data: {x: .nan}\n", "a.yaml:4: .nan is no number"},
		{"billion laughs", laughs, "it is too large by its aliases"},
		{"merged laughs", first + "data: &x {<<: *x}\n", "a.yaml:4: "},
		{"deep", first + "data: " + strings.Repeat("[", 300) + strings.Repeat("]", 300), "nested deeper than 256"},
		{"deep JSON", strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300), "nested deeper than 256"},
		{"items are no list", "apiVersion: v1\nkind: List\nitems: {a: b}\n", "a.yaml:3: the items of this List are a set of fields"},
		{"nameless item", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret}\n", "a.yaml:4: Secret has no name"},
		{"nameless in v1 List", "apiVersion: v1\nkind: List\nitems:\n- {metadata: {name: a}}\n", "a.yaml:4: this is no Kubernetes object"},
		{"no version", "apiVersion: a/b/c\nkind: A\nmetadata: {name: a}\n", `the apiVersion "a/b/c", which is not one`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read("a.yaml", []byte(tt.file))
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What is wrong with a Secret is told by field and line, not by its value: logs of builds are read by many.
func TestReadDoesNotTellSecrets(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
	for name, file := range map[string]string{
		"number in an annotation":         "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {pin: 48291355}}\n",
		"password that is an alias":       secret + "stringData: {pin: *48291355}\n",
		"password that is a tag":          secret + "stringData: {pin: !48291355}\n",
		"tag that does not fit":           secret + "stringData: {pin: !!int \"48291355x\"}\n",
		"tag that does not fit in a list": "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(secret, "\n", "\n  ") + "stringData: {pin: !!bool 48291355}\n",
		"too large a number in JSON":      `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"stringData":{"pin":48291355e999}}`,
		"no JSON":                         `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"stringData":{"pin":"48291355" 48291355}}`,
		"text without a key":              secret + "stringData:\n  48291355\n  pin: x\n",
		"open quotes":                     secret + "stringData: {pin: \"48291355}\n",
		"a wrong escape":                  secret + "stringData: {pin: \"48291355\\q\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read("a.yaml", []byte(file))
			if err == nil || strings.Contains(err.Error(), "48291355") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// No namespace is the namespace default, and versions of an API show the same object.
func TestKey(t *testing.T) {
	objects, err := Read("a.yaml", []byte("apiVersion: x/v1\nkind: A\nmetadata: {name: a}\n---\napiVersion: x/v2\nkind: A\nmetadata: {name: a, namespace: default}\n"))
	if err != nil || objects[0].Key() != objects[1].Key() {
		t.Errorf("got %v", err)
	}
}
