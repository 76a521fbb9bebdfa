package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxcd/pkg/ssa/utils"
)

const (
	maxFields    = 40 // lines for one object
	maxValueText = 60 // bytes of a value in a line
)

// differences lists the fields in which two states of an object differ, in the order of their paths: one line each, and
// more where a value has several lines. What the server adds by itself is left out, and so are the marks that this package
// sets, and kubectl's copy of the object.
func differences(before, after *unstructured.Unstructured) []string {
	d := differ{secret: utils.IsSecret(after)}
	d.compare("", visible(before), visible(after), nil)
	var lines []string
	for _, f := range d.found {
		lines = append(lines, f.lines...)
	}
	return atMost(lines)
}

// atMost bounds the lines of an object.
func atMost(lines []string) []string {
	if over := len(lines) - maxFields; over > 0 {
		lines = append(lines[:maxFields:maxFields], fmt.Sprintf("and %d more", over))
	}
	return lines
}

// visible is what a person wrote of an object.
func visible(u *unstructured.Unstructured) map[string]any {
	m := maps.Clone(u.Object)
	delete(m, "status")
	m["metadata"] = map[string]any{
		"labels":      without(u.GetLabels(), OwnerLabel),
		"annotations": without(u.GetAnnotations(), AdoptedAnnotation, corev1.LastAppliedConfigAnnotation),
	}
	return m
}

func without(m map[string]string, keys ...string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if !slices.Contains(keys, k) {
			out[k] = v
		}
	}
	return out
}

type differ struct {
	secret bool
	found  []changedField
}

// changedField is one difference, and who owns the field of those whom compare was told of.
type changedField struct {
	path   string
	lines  []string
	owners []manager
}

func (d *differ) compare(path string, before, after any, owners []manager) {
	if reflect.DeepEqual(before, after) {
		return
	}
	b, bok := asMap(before)
	a, aok := asMap(after)
	if !bok || !aok {
		d.found = append(d.found, changedField{path, d.lines(path, before, after), owners})
		return
	}
	_, ofList := after.([]any)
	for _, k := range slices.Sorted(maps.Keys(merged(b, a))) {
		d.compare(join(path, k), b[k], a[k], managersAt(owners, k, a[k], ofList))
	}
}

func (d *differ) lines(path string, before, after any) []string {
	hidden := d.hidden(path)
	if !hidden && (severalLines(before) || severalLines(after)) {
		return linesChanged(path, before, after)
	}
	b, a := text(before), text(after)
	if hidden {
		b, a = mask(before), mask(after)
		if b == a {
			a = "***** (changed)"
		}
	}
	switch {
	case before == nil:
		return []string{fmt.Sprintf("+ %s: %s", path, a)}
	case after == nil:
		return []string{fmt.Sprintf("- %s: %s", path, b)}
	}
	return []string{fmt.Sprintf("%s: %s -> %s", path, b, a)}
}

// hidden tells whether the values at a path are nobody's business. Programs copy Secrets into their annotations.
func (d *differ) hidden(path string) bool {
	return d.secret && !strings.HasPrefix(path, "metadata.labels") &&
		slices.ContainsFunc([]string{"data", "stringData", "metadata"}, func(field string) bool { return strings.HasPrefix(path, field) })
}

func mask(v any) string {
	if v == nil {
		return "nothing"
	}
	return "*****"
}

func merged(a, b map[string]any) map[string]any {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// itemKeys are the fields by which Kubernetes tells the items of its lists apart.
var itemKeys = []string{"name", "containerPort", "port", "mountPath", "key", "type"}

// asMap gives an object its fields, and a list its items under the names by which Kubernetes tells them apart.
func asMap(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, v != nil
	case []any:
		for _, key := range itemKeys {
			if m, ok := itemsBy(key, v); ok {
				return m, true
			}
		}
		m := map[string]any{}
		for i, item := range v {
			m[fmt.Sprintf("[%d]", i)] = item
		}
		return m, true
	}
	return nil, false
}

func itemsBy(key string, list []any) (map[string]any, bool) {
	m := map[string]any{}
	for _, item := range list {
		fields, ok := item.(map[string]any)
		if !ok || fields[key] == nil {
			return nil, false
		}
		m[fmt.Sprintf("[%v]", fields[key])] = item
	}
	return m, len(m) > 0 && len(m) == len(list)
}

func join(path, key string) string {
	switch {
	case path == "" || strings.HasPrefix(key, "["):
		return path + key
	case strings.ContainsAny(key, "./"):
		return path + "[" + key + "]"
	}
	return path + "." + key
}

// text is a value in one short line.
func text(v any) string {
	if s, ok := v.(string); ok && s != "" && !strings.ContainsFunc(s, needsQuotes) {
		return cut(s)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return "?"
	}
	return cut(strings.TrimSuffix(b.String(), "\n"))
}

func needsQuotes(r rune) bool { return r == '"' || unicode.IsSpace(r) || !unicode.IsPrint(r) }

func cut(s string) string {
	if len(s) <= maxValueText {
		return s
	}
	// Digests and images differ at their ends.
	const tail = maxValueText / 3
	return strings.ToValidUTF8(s[:maxValueText-tail], "") + "…" + strings.ToValidUTF8(s[len(s)-tail:], "")
}
