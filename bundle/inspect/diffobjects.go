package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ObjectsDiff compares Kubernetes objects by kind, namespace and name.
type ObjectsDiff struct {
	Added   []ObjectID     `json:"added"`
	Removed []ObjectID     `json:"removed"`
	Changed []ObjectChange `json:"changed"`
	// Unchanged is how many objects are the same in both.
	Unchanged int `json:"unchanged"`
}

// ObjectChange is an object that differs.
type ObjectChange struct {
	ObjectID
	// Summary is one short line: "replicas 2 -> 3, image".
	Summary string        `json:"summary"`
	Fields  []FieldChange `json:"fields"`
}

// FieldChange is a field that differs. A value is empty where there is none, and shortened to one line; those of a Secret
// are not shown.
type FieldChange struct {
	Path string `json:"path"` // spec.template.spec.containers[pick-engine].image
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

const (
	maxFieldChanges = 100 // of one object
	maxValueText    = 120 // bytes
	masked          = "*****"
)

func compareObjects(from, to []object) (ObjectsDiff, error) {
	d := ObjectsDiff{Added: []ObjectID{}, Removed: []ObjectID{}, Changed: []ObjectChange{}}
	old := map[ObjectID]object{}
	for _, o := range from {
		old[o.id.key()] = o
	}
	for _, o := range to {
		before, ok := old[o.id.key()]
		delete(old, o.id.key())
		switch {
		case !ok:
			d.Added = append(d.Added, o.id)
		case bytes.Equal(before.yaml, o.yaml):
			d.Unchanged++
		default:
			if err := d.compare(before, o); err != nil {
				return d, err
			}
		}
	}
	for _, o := range from {
		if _, left := old[o.id.key()]; left {
			d.Removed = append(d.Removed, o.id)
		}
	}
	return d, nil
}

// key leaves the version of the API out: an object that moves from v1beta1 to v1 stays the same object.
func (id ObjectID) key() ObjectID {
	if group, _, ok := strings.Cut(id.APIVersion, "/"); ok {
		id.APIVersion = group
	} else {
		id.APIVersion = ""
	}
	return id
}

func (d *ObjectsDiff) compare(before, after object) error {
	b, err := before.fields()
	if err != nil {
		return err
	}
	a, err := after.fields()
	if err != nil {
		return err
	}
	f := &fieldDiffer{secret: after.id.Kind == "Secret"}
	f.compare("", b, a)
	if len(f.changes) == 0 {
		d.Unchanged++ // written differently, and the same
		return nil
	}
	d.Changed = append(d.Changed, ObjectChange{ObjectID: after.id, Summary: summary(f.changes), Fields: f.changes})
	return nil
}

type fieldDiffer struct {
	secret  bool
	changes []FieldChange
}

func (f *fieldDiffer) compare(path string, before, after any) {
	if len(f.changes) == maxFieldChanges || reflect.DeepEqual(before, after) {
		return
	}
	b, bok := members(before)
	a, aok := members(after)
	if !bok || !aok {
		f.add(path, before, after)
		return
	}
	keys := map[string]bool{}
	for k := range b {
		keys[k] = true
	}
	for k := range a {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		f.compare(join(path, k), b[k], a[k])
	}
}

func (f *fieldDiffer) add(path string, before, after any) {
	c := FieldChange{Path: path, Old: show(before), New: show(after)}
	if f.secret && (strings.HasPrefix(path, "data") || strings.HasPrefix(path, "stringData")) {
		c.Old, c.New = mask(before), mask(after)
	}
	f.changes = append(f.changes, c)
}

func mask(v any) string {
	if v == nil {
		return ""
	}
	return masked
}

// members gives a mapping its fields, and a list its items: under their names where all have one, else by number.
func members(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case []any:
		byName, byNumber := map[string]any{}, map[string]any{}
		for i, item := range v {
			byNumber["["+strconv.Itoa(i)+"]"] = item
			if m, ok := item.(map[string]any); ok && m["name"] != nil {
				byName[fmt.Sprintf("[%v]", m["name"])] = item
			}
		}
		if len(byName) == len(v) {
			return byName, true
		}
		return byNumber, true
	}
	return nil, false
}

func join(path, key string) string {
	if path == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	if strings.ContainsAny(key, "./[]") {
		return path + "[" + key + "]"
	}
	return path + "." + key
}

// show is a value in one short line.
func show(v any) string {
	if v == nil {
		return ""
	}
	s := fmt.Sprint(v)
	switch v.(type) {
	case map[string]any, []any:
		if b, err := json.Marshal(v); err == nil {
			s = string(b)
		}
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if len(s) > maxValueText {
		s = strings.ToValidUTF8(s[:maxValueText], "") + "…"
	}
	return s
}
