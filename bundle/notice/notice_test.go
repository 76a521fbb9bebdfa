package notice

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func sample() *Notice {
	until := at("2026-12-24T06:00:00Z")
	return &Notice{Name: "shop", Sites: []string{"store-0142"}, Reason: "2.0.0 loses <orders>", Issued: at("2026-11-30T10:00:00Z"), Until: &until,
		LiftedBy: 43, Safe: &Safe{Version: "1.9.0", Identity: digest.FromString("1.9.0")}}
}

// vector is the one form of the sample. A change of it is a change of the format.
const vector = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"shop","digest":{"sha256":"SUM"}}],` +
	`"predicateType":"https://sallyport.dev/freeze-notice/v1","predicate":{"name":"shop","sites":["store-0142"],"reason":"2.0.0 loses <orders>",` +
	`"issued":"2026-11-30T10:00:00Z","until":"2026-12-24T06:00:00Z","liftedBySequence":43,` +
	`"safe":{"version":"1.9.0","identity":"sha256:ID"}}}`

func TestStatement(t *testing.T) {
	b, err := sample().Statement()
	if err != nil {
		t.Fatal(err)
	}
	_, predicate, _ := strings.Cut(string(b), `"predicate":`)
	predicate = strings.TrimSuffix(predicate, "}")
	want := strings.NewReplacer("SUM", digest.FromString(predicate).Encoded(), "ID", digest.FromString("1.9.0").Encoded()).Replace(vector)
	if string(b) != want {
		t.Errorf("the statement is\n%s, want\n%s", b, want)
	}
	if n, err := Parse(b); err != nil || !reflect.DeepEqual(n, sample()) {
		t.Errorf("read back: %+v, %v", n, err)
	}
}

func TestParseTakesOneForm(t *testing.T) {
	b, err := sample().Statement()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"white space":       {`"predicate":{`, `"predicate": {`},
		"a key twice":       {`"reason":`, `"reason":"x","reason":`},
		"another case":      {`"liftedBySequence"`, `"LiftedBySequence"`},
		"an unknown key":    {`"reason":`, `"later":1,"reason":`},
		"another subject":   {`"sha256":"`, `"sha256":"00`},
		"another zone":      {`"issued":"2026-11-30T10:00:00Z"`, `"issued":"2026-11-30T11:00:00+01:00"`},
		"parts of seconds":  {`10:00:00Z`, `10:00:00.5Z`},
		"another predicate": {`freeze-notice/v1`, `freeze-notice/v2`},
		"no predicate":      {`"predicate":{`, `"other":{`},
		"bytes behind":      {`}}}`, `}}} `},
	} {
		text := strings.Replace(string(b), change[0], change[1], 1)
		if text == string(b) {
			t.Fatalf("%s: nothing is changed", name)
		}
		if n, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is taken: %+v", name, n)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, change := range map[string]func(*Notice){
		"no name":                func(n *Notice) { n.Name = "" },
		"a name with a path":     func(n *Notice) { n.Name = "../shop" },
		"a site with a path":     func(n *Notice) { n.Sites = []string{"a/b"} },
		"very many sites":        func(n *Notice) { n.Sites = make([]string, maxSites+1) },
		"two lines":              func(n *Notice) { n.Reason = "a\nb" },
		"an escape":              func(n *Notice) { n.Reason = "\x1b[2J" },
		"a long reason":          func(n *Notice) { n.Reason = strings.Repeat("x", maxReason+1) },
		"no end":                 func(n *Notice) { n.Until, n.LiftedBy = nil, 0 },
		"an end before its time": func(n *Notice) { n.Until = &n.Issued },
		"no version":             func(n *Notice) { n.Safe.Version = "" },
		"no identity":            func(n *Notice) { n.Safe.Identity = "x" },
		"holds and lifts":        func(n *Notice) { n.Lifts = true },
		"no time":                func(n *Notice) { n.Issued = time.Time{} },
	} {
		n := sample()
		change(n)
		if n.Check() == nil {
			t.Errorf("%s is taken", name)
		}
		if _, err := n.Statement(); err == nil {
			t.Errorf("%s is written", name)
		}
	}
}

func TestOver(t *testing.T) {
	n := sample()
	for _, c := range []struct {
		now      string
		sequence uint64
		over     bool
	}{
		{"2026-11-30T10:00:00Z", 42, false},
		{"1970-01-01T00:00:00Z", 0, false}, // a clock that was reset
		{"2026-12-24T05:59:59Z", 42, false},
		{"2026-12-24T06:00:00Z", 42, true},
		{"2026-11-30T10:00:00Z", 43, true},
	} {
		if got := n.Over(at(c.now), c.sequence); got != c.over {
			t.Errorf("at %s with %d: %t", c.now, c.sequence, got)
		}
	}
	if !(&Notice{Lifts: true}).Over(n.Issued, 0) {
		t.Error("a notice that lifts holds")
	}
	if n.Concerns("store-0143") || !n.Concerns("store-0142") || !(&Notice{}).Concerns("any") {
		t.Error("sites")
	}
}

// What is taken is in the form in which it is written, whatever the bytes.
func FuzzParse(f *testing.F) {
	b, err := sample().Statement()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	lifts, err := (&Notice{Name: "shop", Issued: at("2026-11-30T10:00:00Z"), Lifts: true}).Statement()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(lifts)
	f.Add([]byte(vector))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := n.Statement(); err != nil || string(again) != string(b) {
			t.Errorf("%q comes back as %q, %v", b, again, err)
		}
	})
}
