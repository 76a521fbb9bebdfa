package strictyaml

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// structFields maps the names of a struct type's fields to their index paths, embedded structs inlined.
func structFields(t reflect.Type) map[string][]int {
	fields := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		name, tagged := fieldName(f)
		inlined := f.Anonymous && !tagged
		if name == "-" || inlined || !f.IsExported() || throughNamedEmbedding(t, f.Index) {
			continue
		}
		fields[name] = f.Index
	}
	return fields
}

// throughNamedEmbedding reports whether a promoted field is reached through an embedded struct that has a name of
// its own in YAML, an embedded pointer, or a hidden one; such fields do not belong to the outer struct.
func throughNamedEmbedding(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		outer := t.FieldByIndex(index[:i])
		if _, tagged := fieldName(outer); tagged || outer.Type.Kind() != reflect.Struct {
			return true
		}
	}
	return false
}

// fieldName gives a field's name in YAML and whether a tag set it.
func fieldName(f reflect.StructField) (name string, tagged bool) {
	for _, key := range []string{"yaml", "json"} {
		tag, _, _ := strings.Cut(f.Tag.Get(key), ",")
		if tag != "" {
			return tag, true
		}
	}
	first, size := utf8.DecodeRuneInString(f.Name)
	return string(unicode.ToLower(first)) + f.Name[size:], false
}

// suggest gives the hint for an unknown name: the nearest known one, or else all of them.
func suggest(name string, fields map[string][]int) string {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	slices.Sort(known)
	best, bestDistance := "", len(name)/3+2
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k), bestDistance); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "leave it empty: {}"
	}
	return "the fields here are: " + strings.Join(known, ", ")
}

// editDistance counts the insertions, deletions, substitutions and swaps of neighbours that turn a into b. It gives
// limit for whatever is that far or farther, without measuring long names.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitution := last[j-1]
			if a[i-1] != b[j-1] {
				substitution++
			}
			row[j] = min(substitution, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
