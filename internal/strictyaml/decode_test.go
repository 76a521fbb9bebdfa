package strictyaml_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

type level string

func (l *level) UnmarshalText(b []byte) error {
	if string(b) != "low" && string(b) != "high" {
		return errors.New("neither low nor high")
	}
	*l = level(b)
	return nil
}

type common struct {
	Interval string `yaml:"interval"`
}

type mirror struct {
	URL    string `yaml:"url"`
	Listen string `json:"listen,omitempty"`
}

type spec struct {
	Mirror  *mirror           `yaml:"mirror"`
	Labels  map[string]string `yaml:"labels"`
	Parts   []part            `yaml:"parts"`
	Limit   *int8             `yaml:"limit"`
	Retries uint              `yaml:"retries"`
	Ratio   float64           `yaml:"ratio"`
	On      bool              `yaml:"on"`
	Level   level             `yaml:"level"`
	Expires *time.Time        `yaml:"expires"`
	Values  any               `yaml:"values"`
	Secret  string            `yaml:"-"`
}

type part struct {
	common
	Name string   `yaml:"name"`
	Args []string `yaml:"args"`
}

type document struct {
	Kind string `yaml:"kind"`
	Spec spec   `yaml:"spec"`
}

func TestDecode(t *testing.T) {
	const in = `kind: Site
spec:
  mirror: &m {url: "http://127.0.0.1:5000", listen: "a:1"}
  labels: {region: no, "true": "1"}
  parts:
    - name: one
      interval: 2s
      args: [a, "2"]
    - name: two
  limit: -128
  retries: 3
  ratio: 1
  on: true
  level: high
  expires: 2027-06-30T00:00:00Z
  values: {a: [1, x, null], b: *m}
`
	got := document{Spec: spec{Retries: 9, Secret: "kept"}}
	positions, err := strictyaml.Decode("site.yaml", []byte(in), &got)
	if err != nil {
		t.Fatal(err)
	}
	s := got.Spec
	if got.Kind != "Site" || s.Mirror.URL != "http://127.0.0.1:5000" || s.Mirror.Listen != "a:1" {
		t.Errorf("mirror: %+v", s.Mirror)
	}
	if s.Labels["region"] != "no" || s.Labels["true"] != "1" || len(s.Labels) != 2 {
		t.Errorf("labels: %v", s.Labels)
	}
	if len(s.Parts) != 2 || s.Parts[0].Interval != "2s" || s.Parts[0].Args[1] != "2" || s.Parts[1].Name != "two" {
		t.Errorf("parts: %+v", s.Parts)
	}
	if *s.Limit != -128 || s.Retries != 3 || s.Ratio != 1 || !s.On || s.Level != "high" || s.Secret != "kept" {
		t.Errorf("scalars: %+v", s)
	}
	if !s.Expires.Equal(time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("expires: %v", s.Expires)
	}
	values := s.Values.(map[string]any)
	if list := values["a"].([]any); list[0] != 1 || list[1] != "x" || len(list) != 3 {
		t.Errorf("values.a: %v", list)
	}
	if b := values["b"].(map[string]any); b["listen"] != "a:1" {
		t.Errorf("values.b: %v", b)
	}
	for path, line := range map[string]int{
		"": 1, "spec": 2, "spec.parts[1]": 9, "spec.parts[0].args[1]": 8, "spec.level": 14,
		"spec.parts[1].interval": 9, "spec.nothing.like.it": 2, "other": 1,
	} {
		if got := positions.Line(path); got != line {
			t.Errorf("Line(%q) = %d, want %d", path, got, line)
		}
	}
	e := positions.Error("spec.level", "is too high for this site", "set low")
	if e.Error() != "site.yaml:14: spec.level is too high for this site" || e.Hint() != "set low" || e.Reason() != "spec" {
		t.Errorf("error: %v; %s; %s", e, e.Hint(), e.Reason())
	}
}

func TestDecodeNullKeepsDefaults(t *testing.T) {
	got := document{Spec: spec{Retries: 9, Parts: []part{{Name: "default"}}}}
	if _, err := strictyaml.Decode("f", []byte("kind:\nspec: {retries: , mirror: ~, parts: null}"), &got); err != nil {
		t.Fatal(err)
	}
	if got.Spec.Retries != 9 || got.Spec.Mirror != nil || len(got.Spec.Parts) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestDecodeErrors(t *testing.T) {
	deep := "spec: {values: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}"
	tests := []struct{ name, in, message, hint string }{
		{"unknown, near", "kind: Site\nspec:\n  mirorr: {}", "f.yaml:3: spec.mirorr is not a field here", `did you mean "mirror"?`},
		{"unknown, other case", "Kind: Site", "f.yaml:1: Kind is not a field here", `did you mean "kind"?`},
		{"unknown, far", "quantity: 1", "f.yaml:1: quantity is not a field here", "the fields here are: kind, spec"},
		{"unknown in list", "spec:\n  parts:\n  - name: a\n  - nam: b", "f.yaml:4: spec.parts[1].nam is not a field here", `did you mean "name"?`},
		{"hidden", "spec: {secret: x}", "f.yaml:1: spec.secret is not a field here", "the fields here are: expires, labels"},
		{"embedded name", "spec: {parts: [{common: {}}]}", "f.yaml:1: spec.parts[0].common is not a field here", "the fields here are: args, interval, name"},
		{"twice", "kind: a\nspec: {}\nkind: b", "f.yaml:3: kind is set twice, first on line 1", "keep one"},
		{"twice in map", "spec:\n  labels:\n    a: x\n    a: x", "f.yaml:4: spec.labels.a is set twice, first on line 3", "keep one"},
		{"the topmost first", "spec:\n  onn: 1\nkind: 2", "f.yaml:2: spec.onn is not", `"on"`},
		{"number for text", "kind: 12.80", "f.yaml:1: kind is the number 12.80, not text", `write "12.80", with quotes`},
		{"date for text", "kind: 2020-01-01", "f.yaml:1: kind is the date 2020-01-01, not text", "with quotes"},
		{"boolean label", "spec: {labels: {a: true}}", "f.yaml:1: spec.labels.a is the boolean true, not text", `write "true", with quotes`},
		{"boolean key", "spec: {labels: {true: a}}", "f.yaml:1: spec.labels.true has a name that YAML takes for the boolean true", "with quotes"},
		{"binary", "kind: !!binary aGk=", "f.yaml:1: kind is a value tagged !!binary, not text", ""},
		{"list for text", "kind: [a]", "f.yaml:1: kind is a list, not text", ""},
		{"text for list", "spec: {parts: a}", "f.yaml:1: spec.parts is text, not a list", "dash"},
		{"text for fields", "spec: a", "f.yaml:1: spec is text, not a set of fields", ""},
		{"list for duration", "spec: {level: [low]}", "f.yaml:1: spec.level is a list, not a single value", ""},
		{"text for map", "spec: {labels: [a]}", "f.yaml:1: spec.labels is a list, not a set of fields", ""},
		{"own type", "spec: {level: middle}", "f.yaml:1: spec.level is not valid: neither low nor high", ""},
		{"too large a number", "spec: {limit: 128}", `f.yaml:1: spec.limit is "128", not a whole number`, ""},
		{"octal", "spec: {limit: 0o10}", `f.yaml:1: spec.limit is "0o10", not a whole number`, ""},
		{"negative", "spec: {retries: -1}", `f.yaml:1: spec.retries is "-1", not a whole number of 0 or more`, ""},
		{"quoted number", `spec: {retries: "1"}`, `f.yaml:1: spec.retries is "1", not a whole number of 0 or more`, ""},
		{"yes", "spec: {on: yes}", `f.yaml:1: spec.on is "yes", not true or false`, ""},
		{"text for a number", "spec: {ratio: much}", `f.yaml:1: spec.ratio is "much", not a number`, ""},
		{"null item", "spec: {parts: [~]}", "f.yaml:1: spec.parts[0] is empty", ""},
		{"null item by alias", "kind: &n\nspec: {parts: [*n]}", "f.yaml:2: spec.parts[0] is empty", ""},
		{"merge key", "spec: {values: {a: &a {b: c}, d: {<<: *a}}}", "f.yaml:1: spec.values.d uses a merge key", "write the fields out"},
		{"no plain name", "spec: {[a]: b}", "f.yaml:1: spec has a name that is not plain text", ""},
		{"empty", "# nothing\n", "f.yaml:1: the document is empty", ""},
		{"null", "~", "f.yaml:1: the document is empty", ""},
		{"two", "kind: a\n---\nkind: b", "f.yaml:2: a second document starts here", "keep one document"},
		{"not a mapping", "- a", "f.yaml:1: the document is a list, not a set of fields", ""},
		{"syntax", "kind: a\n  spec: b: c", "f.yaml:2: not valid YAML", ""},
		{"broken second", "kind: a\n---\n}", "f.yaml:2: not valid YAML", ""},
		{"unknown alias", "kind: *x", "not valid YAML: unknown anchor 'x'", ""},
		{"deep", deep, "f.yaml:1: the document is nested deeper than 64 levels", ""},
		{"holds itself", "spec: {values: &a [*a]}", "f.yaml:1: the document is nested deeper than 64 levels", ""},
		{"large", strings.Repeat("#", strictyaml.MaxSize+1), "f.yaml: is larger than 1048576 bytes", ""},
		{"long names", "spec:\n  values:\n    ? " + strings.Repeat("k", 100_000) + "\n    : [" + strings.Repeat("1,", 1000) + "]",
			"f.yaml:4: the document is too large from here on", "shorter names"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := strictyaml.Decode("f.yaml", []byte(tt.in), new(document))
			var e *strictyaml.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(e.Error(), tt.message) {
				t.Errorf("message %q, want %q", e.Error(), tt.message)
			}
			if !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("hint %q, want %q", e.Hint(), tt.hint)
			}
			if e.Reason() != "spec" {
				t.Errorf("reason %q", e.Reason())
			}
		})
	}
}

// Nine levels of nine aliases each are 9^9 values.
func TestDecodeAliasBomb(t *testing.T) {
	in := "spec:\n  values:\n    a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for _, pair := range []string{"01", "12", "23", "34", "45", "56", "67", "78"} {
		item := "*a" + pair[:1]
		in += "    a" + pair[1:] + ": &a" + pair[1:] + " [" + strings.TrimSuffix(strings.Repeat(item+", ", 9), ", ") + "]\n"
	}
	_, err := strictyaml.Decode("f", []byte(in), new(document))
	if err == nil || !strings.Contains(err.Error(), "too large from here on") {
		t.Errorf("got %v", err)
	}
}

func TestDecodeCause(t *testing.T) {
	var into struct {
		File failing `yaml:"file"`
	}
	if _, err := strictyaml.Decode("f", []byte("file: x"), &into); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want it to wrap the cause", err)
	}
}

type failing struct{}

func (*failing) UnmarshalText([]byte) error { return os.ErrNotExist }

// What the caller got wrong is no *Error: no change to the document would mend it.
func TestDecodeUnsupported(t *testing.T) {
	for name, into := range map[string]any{
		"no pointer": document{}, "nil": (*document)(nil), "map": &map[string]string{},
		"channel": &struct{ Kind chan int }{}, "keys": &struct{ Kind map[int]string }{},
		"method set": &struct{ Kind error }{},
	} {
		_, err := strictyaml.Decode("f", []byte("kind: {}"), into)
		var e *strictyaml.Error
		if err == nil || errors.As(err, &e) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"kind: Site\nspec: {labels: {a: b}, parts: [{name: x}], limit: 1}", "spec: {values: &a [*a]}", "? [a]\n: b",
		"kind: !!binary aGk=", "a: 1\na: 2", "---\n...\n---\n", "spec: {expires: 2027-06-30T00:00:00Z, level: low}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		positions, err := strictyaml.Decode("f.yaml", b, new(document))
		var e *strictyaml.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%v (%T) is not an *Error", err, err)
		}
		if err == nil && positions.Line("") < 1 {
			t.Fatal("a document without a line")
		}
	})
}
