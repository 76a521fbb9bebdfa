package overlay

import (
	"errors"
	"maps"
	"slices"
)

// do gives a value in which the edit is done at the path. What it is given is not changed: what is on the way is copied.
func (e *Edit) do(v any, path Path) (any, error) {
	if len(path) == 0 {
		return e.Value.V, nil
	}
	if path[0].Field != "" {
		return e.inList(v, path)
	}
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, errors.New("what it is in is no set of fields")
	}
	key := path[0].Key
	if e.Op == Remove && (m[key] == nil || len(path) == 1) {
		m = maps.Clone(m)
		delete(m, key)
		return m, nil
	}
	inner, err := e.do(m[key], path[1:])
	if err != nil {
		return nil, err
	}
	if m = maps.Clone(m); m == nil {
		m = map[string]any{}
	}
	m[key] = inner
	return m, nil
}

// inList does the edit to an item of a list.
func (e *Edit) inList(v any, path Path) (any, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, errors.New("what it is in is no list")
	}
	at := find(list, path[0])
	switch {
	case at < 0 && e.Op == Remove:
		return v, nil
	case at < 0 && len(path) > 1:
		return nil, errors.New("the list has no such item")
	case at < 0:
		return slices.Insert(slices.Clone(list), e.position(list), e.Value.V), nil
	case len(path) == 1 && e.Op == Remove:
		return slices.Delete(slices.Clone(list), at, at+1), nil
	}
	inner, err := e.do(list[at], path[1:])
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	list[at] = inner
	return list, nil
}

// find gives the position of an item; -1 if there is none.
func find(list []any, s Step) int {
	return slices.IndexFunc(list, func(item any) bool {
		m, _ := item.(map[string]any)
		v := m[s.Field]
		return tells(v) && v == s.Value
	})
}

// position is where a new item is put.
func (e *Edit) position(list []any) int {
	if e.First {
		return 0
	}
	if e.After != nil {
		if at := find(list, *e.After); at >= 0 {
			return at + 1
		}
	}
	return len(list)
}

// At gives what the edit's path leads to in an object; nil if that is not there.
func (e *Edit) At(fields map[string]any) any {
	var v any = fields
	for _, s := range e.Path {
		switch {
		case s.Field == "":
			m, _ := v.(map[string]any)
			v = m[s.Key]
		default:
			list, _ := v.([]any)
			at := find(list, s)
			if at < 0 {
				return nil
			}
			v = list[at]
		}
	}
	return v
}
