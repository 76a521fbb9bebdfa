package testpairs

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Difference is a field, or a whole object if Path is empty, that is not as it was.
type Difference struct {
	Object string // Kind.group name
	Path   string
	Was    string // its JSON; empty: not there
	Is     string
}

// String is one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s %s: %.120s -> %.120s", d.Object, d.Path, d.Was, d.Is)
}

// counted are fields of metadata that the server counts or stamps, or that say who wrote and not what.
var counted = []string{"resourceVersion", "generation", "creationTimestamp", "uid", "selfLink", "managedFields"}

// Compare says what differs between two dumps, apart from status and what the server counts and stamps.
func Compare(before, after Dump) []Difference {
	var out []Difference
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is := before[name], after[name]
		switch {
		case is == nil:
			out = append(out, Difference{Object: name, Was: "there", Is: "not there"})
		case was == nil:
			out = append(out, Difference{Object: name, Was: "not there", Is: "there"})
		default:
			compare(name, "", content(was), content(is), &out)
		}
	}
	return out
}

// content is what counts of an object. Its own UID, which some fields repeat, has a name.
func content(u *Object) any {
	text, err := json.Marshal(u.Object)
	if err != nil {
		panic(err) // it came from JSON
	}
	if uid := string(u.GetUID()); uid != "" {
		text = []byte(strings.ReplaceAll(string(text), uid, "UID"))
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		panic(err)
	}
	delete(m, "status")
	metadata := m["metadata"].(map[string]any)
	for _, c := range counted {
		delete(metadata, c)
	}
	if a, ok := metadata["annotations"].(map[string]any); ok {
		delete(a, "deprecated.daemonset.template.generation") // the server counts that, too
	}
	return m
}

func compare(name, path string, was, is any, out *[]Difference) {
	a, okA := was.(map[string]any)
	b, okB := is.(map[string]any)
	if okA && okB {
		keys := maps.Clone(a)
		maps.Copy(keys, b)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			compare(name, path+"."+k, a[k], b[k], out)
		}
		return
	}
	la, okA := was.([]any)
	lb, okB := is.([]any)
	if okA && okB && len(la) == len(lb) {
		for i := range la {
			compare(name, fmt.Sprintf("%s[%d]", path, i), la[i], lb[i], out)
		}
		return
	}
	if !reflect.DeepEqual(was, is) {
		*out = append(*out, Difference{Object: name, Path: path, Was: text(was), Is: text(is)})
	}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
