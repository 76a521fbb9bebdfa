package overlay

import (
	"maps"
	"reflect"
	"slices"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// itemFields are the fields by which items of a list are told, in the order in which they are tried. All are merge keys of
// Kubernetes' own kinds.
func itemFields() []string {
	return []string{"name", "containerPort", "port", "mountPath", "devicePath", "ip", "topologyKey", "type"}
}

// Diff gives the edits that turn the objects before into those after. An empty field (null) is one that is not there.
func Diff(before, after []kubeyaml.Object) []Edit {
	old, gone := make(map[Key]*kubeyaml.Object, len(before)), map[Key]bool{}
	for i := range before {
		k := KeyOf(&before[i])
		old[k], gone[k] = &before[i], true
	}
	var edits []Edit
	for i := range after {
		k := KeyOf(&after[i])
		if delete(gone, k); old[k] == nil {
			edits = append(edits, Edit{Object: k, Op: Add, Value: Value{after[i].Fields}})
			continue
		}
		d := differ{object: k}
		d.fields(nil, old[k].Fields, after[i].Fields)
		edits = append(edits, d.edits...)
	}
	for i := range before {
		if k := KeyOf(&before[i]); gone[k] {
			edits = append(edits, Edit{Object: k, Op: Delete})
		}
	}
	return edits
}

// differ collects the edits of one object.
type differ struct {
	object Key
	edits  []Edit
}

func (d *differ) set(path Path, v any) {
	d.edits = append(d.edits, Edit{Object: d.object, Op: Set, Path: path, Value: Value{v}})
}

func (d *differ) remove(path Path) {
	d.edits = append(d.edits, Edit{Object: d.object, Op: Remove, Path: path})
}

// value compares what is at a path, field by field as far as both have fields: what an overlay does not touch is left to
// others.
func (d *differ) value(path Path, before, after any) {
	n := len(d.edits)
	switch after := after.(type) {
	case nil:
		if before != nil {
			d.remove(path)
		}
		return
	case map[string]any:
		b, ok := before.(map[string]any)
		if len(path) < maxPath && (ok || before == nil) {
			if d.fields(path, b, after); before == nil && len(d.edits) == n {
				d.set(path, after)
			}
			return
		}
	case []any:
		b, ok := before.([]any)
		if len(path) < maxPath && (ok || before == nil) && d.items(path, b, after) {
			return
		}
	}
	if !reflect.DeepEqual(before, after) {
		d.set(path, after)
	}
}

func (d *differ) fields(path Path, before, after map[string]any) {
	keys := maps.Clone(before)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, after)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		d.value(path.with(Step{Key: k}), before[k], after[k])
	}
}

// items compares lists item by item and reports whether they can be: all items have a field that tells them, and those that
// are in both stand in the same order.
func (d *differ) items(path Path, before, after []any) bool {
	field := itemField(before, after)
	if field == "" {
		return false
	}
	old, kept := map[any]any{}, []any{}
	for _, item := range before {
		old[item.(map[string]any)[field]] = item
	}
	in, last := map[any]bool{}, -1
	for i, item := range after {
		v := item.(map[string]any)[field]
		if in[v] = true; old[v] != nil {
			kept, last = append(kept, v), i
		}
	}
	for _, item := range before {
		switch v := item.(map[string]any)[field]; {
		case in[v] && kept[0] != v:
			return false
		case in[v]:
			kept = kept[1:]
		}
	}
	for _, item := range before {
		if v := item.(map[string]any)[field]; !in[v] {
			d.remove(path.with(Step{Field: field, Value: v}))
		}
	}
	for i, item := range after {
		step := Step{Field: field, Value: item.(map[string]any)[field]}
		if old[step.Value] != nil {
			d.value(path.with(step), old[step.Value], item)
			continue
		}
		d.set(path.with(step), item)
		switch e := &d.edits[len(d.edits)-1]; {
		case i > last: // at the end
		case i == 0:
			e.First = true
		default:
			e.After = &Step{Field: field, Value: after[i-1].(map[string]any)[field]}
		}
	}
	return true
}

// itemField gives the field that tells the items of both lists; "" if there is none, or no item.
func itemField(lists ...[]any) string {
	for _, field := range itemFields() {
		n := 0
		for _, list := range lists {
			if !distinct(list, field) {
				n = -1
				break
			}
			n += len(list)
		}
		if n > 0 {
			return field
		}
	}
	return ""
}

// distinct tells whether every item has the field, each with another value.
func distinct(list []any, field string) bool {
	seen := make(map[any]bool, len(list))
	for _, item := range list {
		m, _ := item.(map[string]any)
		v := m[field]
		if s, isText := v.(string); !tells(v) || seen[v] || isText && (s == "" || len(s) > maxName) {
			return false
		}
		seen[v] = true
	}
	return true
}
