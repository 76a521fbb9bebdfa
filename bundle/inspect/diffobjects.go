package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// ObjectsDiff compares Kubernetes objects by kind, namespace and name.
type ObjectsDiff struct {
	Added   []ObjectID     `json:"added"`
	Removed []ObjectID     `json:"removed"`
	Changed []ObjectChange `json:"changed"`
	// Unchanged is how many objects are the same in both.
	Unchanged int `json:"unchanged"`

	room int // bytes of fields that may still be told
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
	maxPath         = 512 // bytes; what lies deeper is compared as a whole
	maxChangesText  = 4 << 20
	fieldSize       = 64 // bytes that a field takes beside its texts
	masked          = "*****"
)

func compareObjects(from, to *objects) (ObjectsDiff, error) {
	d := ObjectsDiff{Added: []ObjectID{}, Removed: []ObjectID{}, Changed: []ObjectChange{}, room: maxChangesText}
	old := map[ObjectID]object{}
	for _, o := range from.all() {
		old[o.id.key()] = o
	}
	for _, o := range to.all() {
		before, ok := old[o.id.key()]
		delete(old, o.id.key())
		switch {
		case !ok:
			d.Added = append(d.Added, o.id)
		case before.sum == o.sum:
			d.Unchanged++
		default:
			if err := d.compare(from, before, to, o); err != nil {
				return d, err
			}
		}
	}
	for _, o := range from.all() {
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

func (d *ObjectsDiff) compare(from *objects, before object, to *objects, after object) error {
	b, err := from.fields(before)
	var a map[string]any
	if err == nil {
		a, err = to.fields(after)
	}
	if errors.Is(err, errDense) {
		d.Changed = append(d.Changed, ObjectChange{ObjectID: after.id, Summary: "too large to compare field by field", Fields: []FieldChange{}})
		return nil
	}
	if err != nil {
		return err
	}
	f := &fieldDiffer{secret: after.id.Kind == "Secret"}
	f.compare("", b, a)
	if len(f.changes) == 0 {
		d.Unchanged++ // written differently, and the same
		return nil
	}
	change := ObjectChange{ObjectID: after.id, Summary: summary(f.changes), Fields: f.changes}
	for _, c := range f.changes {
		d.room -= len(c.Path) + len(c.Old) + len(c.New) + fieldSize
	}
	if d.room < 0 {
		change.Fields = []FieldChange{}
	}
	d.Changed = append(d.Changed, change)
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
	if !bok || !aok || len(path) > maxPath {
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
	c := FieldChange{Path: oneline.Clean(path, 2*maxPath), Old: show(before), New: show(after)}
	if f.hidden(path) {
		c.Old, c.New = mask(before), mask(after)
	}
	f.changes = append(f.changes, c)
}

// hidden tells whether the values at a path are nobody's business. Programs copy Secrets into their annotations.
func (f *fieldDiffer) hidden(path string) bool {
	return f.secret && slices.ContainsFunc([]string{"data", "stringData", "metadata.annotations"},
		func(field string) bool { return strings.HasPrefix(path, field) })
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
			m, _ := item.(map[string]any)
			if name, ok := m["name"].(string); ok && len(name) <= maxPath {
				byName["["+name+"]"] = item
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
	var s string
	switch v := v.(type) {
	case map[string]any, []any:
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if e.Encode(v) != nil {
			return "…"
		}
		s = strings.TrimSuffix(b.String(), "\n")
		s = s[:min(len(s), 4*maxValueText)]
	case string:
		s = v[:min(len(v), 4*maxValueText)]
	default:
		s = fmt.Sprint(v)
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
