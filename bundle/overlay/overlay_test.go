package overlay

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        env: [{name: MODE, value: base}, {name: LEVEL, value: info}]
      - {name: log, image: registry.example.com/log:1}
`

func objects(t testing.TB, yaml string) []kubeyaml.Object {
	t.Helper()
	list, err := kubeyaml.Read("test", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// layer is an overlay that turns the deployment above into what the replacements make of it.
func layer(t testing.TB, name, match string, replace ...string) Layer {
	t.Helper()
	after := strings.NewReplacer(replace...).Replace(deployment)
	if after == deployment {
		t.Fatalf("overlay %s changes nothing", name)
	}
	return Layer{Overlay: bundle.Overlay{Name: name, Match: labels(match)}, Changes: Diff(objects(t, deployment), objects(t, after))}
}

func labels(s string) map[string]string {
	m := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		k, v, _ := strings.Cut(pair, "=")
		m[k] = v
	}
	return m
}

// The edits of what kustomize does to lists: items in front, between and at the end, changed, gone, in another order.
func TestDiffGivesBackWhatWasRendered(t *testing.T) {
	for name, replace := range map[string][]string{
		"a field":            {"replicas: 1", "replicas: 3"},
		"a field less":       {"  replicas: 1\n", ""},
		"a field more":       {"replicas: 1", "replicas: 1\n  paused: true"},
		"fields in a field":  {"replicas: 1", "strategy: {rollingUpdate: {maxSurge: 0}, type: RollingUpdate}"},
		"an empty field":     {"replicas: 1", "strategy: {}"},
		"fields of fields":   {"metadata: {name: web, namespace: shop}", "metadata: {name: web, namespace: shop, annotations: {a: b}}"},
		"an item in front":   {"containers:\n", "containers:\n      - {name: first, image: registry.example.com/first:1}\n"},
		"an item between":    {"env: [{name: MODE, value: base}, ", "env: [{name: MODE, value: base}, {name: NEW, value: x}, {name: NEWER, value: x}, "},
		"an item at the end": {"{name: LEVEL, value: info}]", "{name: LEVEL, value: info}, {name: NEW, value: x}]"},
		"an item less":       {"{name: MODE, value: base}, ", ""},
		"another order":      {"[{name: MODE, value: base}, {name: LEVEL, value: info}]", "[{name: LEVEL, value: info}, {name: MODE, value: base}]"},
		"no item is left":    {"[{name: MODE, value: base}, {name: LEVEL, value: info}]", "[]"},
		"a field of an item": {"web:1", "web:2"},
		"a new list":         {"replicas: 1", "tolerations: [{key: a}, {key: b}]"},
		"a new keyed list":   {"name: log,", "name: log, ports: [{containerPort: 80}, {containerPort: 81}],"},
		"names that are not": {"{name: LEVEL, value: info}]", "{value: info}]"},
		"another version":    {"apps/v1", "apps/v1beta1"},
		"another name":       {"{name: web, namespace: shop}", "{name: eu-web, namespace: shop}"},
	} {
		l := layer(t, name, "region=emea", replace...)
		b, err := Marshal(l.Changes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l.Changes, err = Parse(b); err != nil {
			t.Errorf("%s: %s: %v", name, b, err)
			continue
		}
		want := objects(t, strings.NewReplacer(replace...).Replace(deployment))
		if got := combined(t, deployment, l); fields(got) != fields(want) {
			t.Errorf("%s:\n%s\nbecomes\n%s, want\n%s", name, b, fields(got), fields(want))
		}
	}
}

func combined(t testing.TB, yaml string, layers ...Layer) []kubeyaml.Object {
	t.Helper()
	c, err := Combine(layers)
	if err != nil {
		t.Fatal(err)
	}
	before := objects(t, yaml)
	as := fields(before)
	got, err := c.Objects(before)
	if err != nil {
		t.Fatal(err)
	}
	if fields(before) != as {
		t.Error("the baseline was changed")
	}
	return got
}

func fields(list []kubeyaml.Object) string {
	var all []string
	for _, o := range list {
		b, err := json.Marshal(o.Fields)
		if err != nil {
			return err.Error()
		}
		all = append(all, string(b))
	}
	return strings.Join(all, "\n")
}

// Base, region and site: the more specific one counts, and what they do not both say is added up.
func TestMoreSpecificWins(t *testing.T) {
	region := layer(t, "emea", "region=emea", "replicas: 1", "replicas: 2", "value: base", "value: emea")
	site := layer(t, "store-1", "region=emea,store=1", "replicas: 1", "replicas: 5", "log:1", "log:2")
	size := layer(t, "large", "size=large", "value: info", "value: debug")
	got := fields(combined(t, deployment, site, size, region))
	for _, want := range []string{`"replicas":5`, `"value":"emea"`, `log:2`, `"value":"debug"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestFights(t *testing.T) {
	region := layer(t, "emea", "region=emea", "replicas: 1", "replicas: 2")
	for name, c := range map[string]struct {
		with []Layer
		want string // in the error; empty: they do not fight
	}{
		"other field":        {[]Layer{layer(t, "large", "size=large", "web:1", "web:2")}, ""},
		"same value":         {[]Layer{layer(t, "large", "size=large", "replicas: 1", "replicas: 2")}, ""},
		"never together":     {[]Layer{layer(t, "apac", "region=apac", "replicas: 1", "replicas: 3")}, ""},
		"more specific":      {[]Layer{layer(t, "store", "region=emea,store=1", "replicas: 1", "replicas: 3")}, ""},
		"items of one list":  {[]Layer{layer(t, "a", "size=large", "value: info}]", "value: info}, {name: A, value: x}]"), layer(t, "b", "ring=canary", "value: info}]", "value: info}, {name: B, value: x}]")}, ""},
		"another value":      {[]Layer{layer(t, "large", "size=large", "replicas: 1", "replicas: 3")}, "overlays emea (region=emea) and large (size=large) fight over Deployment shop/web: spec.replicas"},
		"same labels":        {[]Layer{layer(t, "other", "region=emea", "replicas: 1", "replicas: 3")}, "fight over Deployment shop/web: spec.replicas"},
		"set and removed":    {[]Layer{layer(t, "large", "size=large", "  replicas: 1\n", "")}, "spec.replicas"},
		"the object renamed": {[]Layer{layer(t, "large", "size=large", "name: web, n", "name: eu-web, n")}, "Deployment shop/web: the object as a whole"},
		"one item":           {[]Layer{layer(t, "a", "size=large", "value: info}]", "value: info}, {name: A, value: x}]"), layer(t, "b", "ring=canary", "value: info}]", "value: info}, {name: A, value: y}]")}, "env[name=A]"},
		"item and its field": {[]Layer{layer(t, "a", "size=large", "{name: MODE, value: base}, ", ""), layer(t, "b", "ring=canary", "value: base", "value: y")}, "env[name=MODE]"},
		"a third that settles": {[]Layer{layer(t, "large", "size=large", "replicas: 1", "replicas: 3"),
			layer(t, "large-emea", "region=emea,size=large", "replicas: 1", "replicas: 4")}, ""},
		"a third that says nothing of it": {[]Layer{layer(t, "large", "size=large", "replicas: 1", "replicas: 3"),
			layer(t, "large-emea", "region=emea,size=large", "web:1", "web:2")}, "spec.replicas"},
		"a third for fewer sites": {[]Layer{layer(t, "large", "size=large", "replicas: 1", "replicas: 3"),
			layer(t, "canary", "region=emea,size=large,ring=canary", "replicas: 1", "replicas: 4")}, "spec.replicas"},
	} {
		for range 3 {
			layers := append([]Layer{region}, c.with...)
			rand.Shuffle(len(layers), func(i, j int) { layers[i], layers[j] = layers[j], layers[i] })
			_, err := Combine(layers)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s: %v", name, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
		}
	}
}

func TestSettledFight(t *testing.T) {
	got := fields(combined(t, deployment, layer(t, "emea", "region=emea", "replicas: 1", "replicas: 2"),
		layer(t, "large", "size=large", "replicas: 1", "replicas: 3"), layer(t, "aa", "region=emea,size=large", "replicas: 1", "replicas: 4")))
	if !strings.Contains(got, `"replicas":4`) {
		t.Error(got)
	}
}

// A region adds an object; the site's overlay, rendered on that, changes it, and another takes it away.
func TestObjectsOfOverlays(t *testing.T) {
	const more = deployment + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: emea, namespace: shop}\ndata: {a: x}\n"
	region := Layer{Overlay: bundle.Overlay{Name: "emea", Match: labels("region=emea")}, Changes: Diff(objects(t, deployment), objects(t, more))}
	site := Layer{Overlay: bundle.Overlay{Name: "store-1", Match: labels("region=emea,store=1")},
		Changes: Diff(objects(t, more), objects(t, strings.Replace(more, "a: x", "a: z", 1)))}
	without := Layer{Overlay: bundle.Overlay{Name: "store-2", Match: labels("region=emea,store=2")}, Changes: Diff(objects(t, more), objects(t, deployment))}
	if got := fields(combined(t, deployment, site, region)); !strings.Contains(got, `"data":{"a":"z"}`) {
		t.Error(got)
	}
	if got, want := fields(combined(t, deployment, without, region)), fields(objects(t, deployment)); got != want {
		t.Error(got)
	}
	c, err := Combine([]Layer{site})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Objects(objects(t, deployment)); err == nil || !strings.Contains(err.Error(), "overlay store-1: ConfigMap shop/emea: data.a: there is no such object") {
		t.Errorf("an edit of what is not there: %v", err)
	}
}

// In any order, and by many at once, the same overlays give the same bytes.
func TestAnyOrderAndInParallel(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 5))
	for range 200 {
		layers := randomLayers(t, r)
		if len(Fights(layers)) > 0 {
			continue
		}
		stream, err := kubeyaml.Marshal(objects(t, deployment)[0].Fields)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		got := make([]string, 6)
		shared, err := Combine(layers)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			c := shared
			if i%2 == 0 {
				r.Shuffle(len(layers), func(i, j int) { layers[i], layers[j] = layers[j], layers[i] })
				if c, err = Combine(layers); err != nil {
					t.Fatal(err)
				}
			}
			wait.Go(func() {
				b, _, err := c.YAML(stream)
				got[i] = fmt.Sprint(string(b), err)
			})
		}
		wait.Wait()
		if slices.Sort(got); got[0] != got[len(got)-1] {
			t.Fatalf("%s\nand\n%s", got[0], got[len(got)-1])
		}
	}
}

func randomLayers(t testing.TB, r *rand.Rand) []Layer {
	changes := [][]string{{"replicas: 1", "replicas: 2"}, {"replicas: 1", "replicas: 3"}, {"  replicas: 1\n", ""}, {"value: base", "value: x"},
		{"{name: MODE, value: base}, ", ""}, {"containers:\n", "containers:\n      - {name: first, image: registry.example.com/first:1}\n"},
		{"value: info}]", "value: info}, {name: A, value: x}]"}, {"value: info}]", "value: info}, {name: B, value: x}]"}, {"log:1", "log:2"}}
	matches := []string{"a=1", "b=1", "c=1", "a=1,b=1", "a=1,c=1", "a=1,b=1,c=1"}
	var layers []Layer
	for i := range 2 + r.IntN(4) {
		layers = append(layers, layer(t, fmt.Sprintf("o%d", i), matches[r.IntN(len(matches))], changes[r.IntN(len(changes))]...))
	}
	return layers
}

// Whatever two trees of values are, the edits lead from the one to the other, and touch nothing that is the same.
func TestDiffOfAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		before, after := thing(r), thing(r)
		edits := Diff([]kubeyaml.Object{before}, []kubeyaml.Object{after})
		b, err := Marshal(edits)
		if err != nil {
			t.Fatal(err)
		}
		if edits, err = Parse(b); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		c, err := Combine([]Layer{{Overlay: bundle.Overlay{Name: "a", Match: labels("a=b")}, Changes: edits}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Objects([]kubeyaml.Object{before})
		if err != nil || !reflect.DeepEqual(got[0].Fields, after.Fields) {
			t.Fatalf("%s\nto\n%s\nby %s gives\n%s, %v", fields([]kubeyaml.Object{before}), fields([]kubeyaml.Object{after}), b, fields(got), err)
		}
		if again := Diff([]kubeyaml.Object{before}, []kubeyaml.Object{before}); len(again) != 0 {
			t.Fatalf("edits of nothing: %v", again)
		}
	}
}

func thing(r *rand.Rand) kubeyaml.Object {
	m := map[string]any{"apiVersion": "v1", "kind": "Thing", "metadata": map[string]any{"name": "x"}}
	for _, k := range []string{"a", "b", "c"} {
		if v := anything(r, 0); v != nil {
			m[k] = v
		}
	}
	return kubeyaml.Object{Fields: m}
}

func anything(r *rand.Rand, depth int) any {
	switch n := r.IntN(8); {
	case n == 0:
		return nil
	case n == 1:
		return int64(r.IntN(3))
	case n == 2:
		return []string{"x", "", "é<&>"}[r.IntN(3)]
	case n == 3:
		return r.IntN(2) == 0
	case depth > 3:
		return 1.5
	case n < 6:
		list := []any{}
		for range r.IntN(4) {
			if item := anything(r, depth+1); item != nil {
				list = append(list, item)
			}
		}
		return list
	}
	m := map[string]any{}
	for _, k := range []string{"name", "port", "x", "y"} {
		if v := anything(r, depth+1); v != nil {
			m[k] = v
		}
	}
	return m
}
