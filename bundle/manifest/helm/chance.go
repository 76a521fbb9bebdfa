package helm

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"text/template/parse"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// renderings is how often a chart is rendered to find chance: the order of keys, say, is the same every other time.
const renderings = 3

// ahead is what now gives in a clock that is ahead: another year, month, day of the week, hour, minute and second.
const ahead = `(now | dateModify "9517h13m7s")`

// checkChance refuses objects that are others each time the chart is rendered.
func (r *renderer) checkChance(first rendering) error {
	for i := range renderings {
		again, same, err := r.again(first, way{later: i == 0})
		if err != nil {
			return err
		}
		if same {
			continue
		}
		if err := compare(first.objects, again); err != nil {
			return err
		}
	}
	return nil
}

// compare names the first object and field that differ.
func compare(objects, again []kubeyaml.Object) error {
	for k := range min(len(objects), len(again)) {
		o := &objects[k]
		if path, differ := difference(o.Fields, again[k].Fields, nil); differ {
			return byChance(o, path.String()+" is another value each time the chart is rendered")
		}
	}
	if len(objects) == len(again) {
		return nil
	}
	more := objects
	if len(again) > len(objects) {
		more = again
	}
	return byChance(&more[min(len(objects), len(again))], "is not there each time the chart is rendered")
}

func byChance(o *kubeyaml.Object, problem string) error {
	return &kubeyaml.Error{Place: o.Place, Problem: fmt.Sprintf("%s: %s, so each build would bring another one", o.ID(), problem),
		Advice: "give the value under helm.values or helm.set, or make the object at the site and leave it out of the chart"}
}

// difference gives the path of the first field that differs.
func difference(a, b any, path kubeyaml.Path) (kubeyaml.Path, bool) {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return path, true
		}
		keys := slices.Collect(maps.Keys(a))
		for key := range b {
			if _, both := a[key]; !both {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			if found, differ := difference(a[key], b[key], path.With(key)); differ {
				return found, true
			}
		}
		return path, len(keys) != len(a) || len(keys) != len(b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return path, true
		}
		for i := range a {
			if found, differ := difference(a[i], b[i], path.With(i)); differ {
				return found, true
			}
		}
		return nil, false
	}
	return path, !reflect.DeepEqual(a, b)
}

// setClocksAhead changes the templates so that now is another time.
func setClocksAhead(ch *chart.Chart) {
	for _, t := range ch.Templates {
		t.Data = withClockAhead(t.Name, t.Data)
	}
	for _, sub := range ch.Dependencies() {
		setClocksAhead(sub)
	}
}

// withClockAhead replaces each call of now. What does not parse is left for the engine to name.
func withClockAhead(name string, text []byte) []byte {
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(string(text), "", "", trees); err != nil {
		return text
	}
	var calls []int
	for _, t := range trees {
		if t.Root != nil {
			eachCall(reflect.ValueOf(t.Root), "now", func(at parse.Pos) { calls = append(calls, int(at)) })
		}
	}
	slices.Sort(calls)
	for _, at := range slices.Backward(slices.Compact(calls)) {
		if at+len("now") <= len(text) && string(text[at:at+len("now")]) == "now" {
			text = slices.Concat(text[:at], []byte(ahead), text[at+len("now"):])
		}
	}
	return text
}

var identifier = reflect.TypeFor[*parse.IdentifierNode]()

// eachCall finds the calls of a function in a tree of nodes.
func eachCall(v reflect.Value, name string, found func(parse.Pos)) {
	switch v.Kind() {
	case reflect.Interface:
		eachCall(v.Elem(), name, found)
	case reflect.Pointer:
		if v.IsNil() || v.Type() == reflect.TypeFor[*parse.Tree]() {
			return
		}
		if v.Type() == identifier {
			if node := v.Interface().(*parse.IdentifierNode); node.Ident == name {
				found(node.Pos)
			}
			return
		}
		eachCall(v.Elem(), name, found)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachCall(v.Field(i), name, found)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachCall(v.Index(i), name, found)
		}
	}
}
