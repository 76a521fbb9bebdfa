package testpairs

import "reflect"

// itemKeys tell which items of two lists are the same one.
var itemKeys = []string{"name", "port", "type"}

// merge returns base with the fragment in it. Maps are merged; lists of maps item by item; null takes a field away; all
// else is replaced. Neither is changed.
func merge(base, f any) any {
	switch f := f.(type) {
	case map[string]any:
		b, _ := base.(map[string]any)
		out := make(map[string]any, len(b)+len(f))
		for k, v := range b {
			out[k] = v
		}
		for k, v := range f {
			if v == nil {
				delete(out, k)
				continue
			}
			out[k] = merge(out[k], v)
		}
		return out
	case []any:
		if b, ok := base.([]any); ok {
			return mergeLists(b, f)
		}
	}
	return f
}

func mergeLists(base, f []any) []any {
	for _, item := range f {
		if _, ok := item.(map[string]any); !ok {
			return f // a list of plain values
		}
	}
	out := append([]any{}, base...)
	for _, item := range f {
		if i := indexOf(out, item.(map[string]any)); i >= 0 {
			out[i] = merge(out[i], item)
		} else {
			out = append(out, merge(nil, item))
		}
	}
	return out
}

func indexOf(list []any, item map[string]any) int {
	for i, x := range list {
		m, ok := x.(map[string]any)
		for _, key := range itemKeys {
			if ok && m[key] != nil && item[key] != nil {
				if reflect.DeepEqual(m[key], item[key]) {
					return i
				}
				break
			}
		}
	}
	return -1
}
