package kube

import (
	"encoding/base64"
	"maps"
	"reflect"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// scan compares what is wanted of an object with what there is, without asking the server.
type scan struct {
	// sure: each field has the wanted value, and it is ours. If not, a dry run has to tell.
	sure bool
	// scaled: others say how many replicas there are.
	scaled bool
}

// object returns what is wanted without the fields that controllers have taken over. It is want itself if there are none.
func (s *scan) object(want, live *unstructured.Unstructured, all []manager) *unstructured.Unstructured {
	s.sure = true
	left := want.DeepCopy()
	if utils.IsSecret(left) {
		fromStringData(left)
	}
	w := maps.Clone(left.Object)
	for _, known := range []string{"apiVersion", "kind", "status"} {
		delete(w, known)
	}
	w["metadata"] = map[string]any{"labels": anyOf(left.GetLabels())}
	if notes := anyOf(left.GetAnnotations()); len(notes) > 0 {
		w["metadata"].(map[string]any)["annotations"] = notes
	}
	if utils.IsClusterRole(want) && w["aggregationRule"] != nil {
		delete(w, "rules") // those are a controller's
	}
	kept := s.fields(w, live.Object, nodes{ownedBy(all, us), ownedBy(all, programs)}, "")
	for k, v := range kept {
		if k != "metadata" {
			left.Object[k] = v
		}
	}
	for k := range left.Object {
		if k != "apiVersion" && k != "kind" && k != "metadata" && kept[k] == nil {
			delete(left.Object, k)
		}
	}
	return left
}

// fromStringData moves a Secret's texts to where the server keeps them.
func fromStringData(secret *unstructured.Unstructured) {
	texts, _ := secret.Object["stringData"].(map[string]any)
	data, _ := secret.Object["data"].(map[string]any)
	if data = maps.Clone(data); data == nil {
		data = map[string]any{}
	}
	for k, v := range texts {
		s, ok := v.(string)
		if !ok {
			return // the server has a word on that
		}
		data[k] = base64.StdEncoding.EncodeToString([]byte(s))
	}
	delete(secret.Object, "stringData")
	if len(data) > 0 {
		secret.Object["data"] = data
	}
}

func anyOf(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// nodes are what we and what controllers own at a place.
type nodes struct{ ours, controllers fieldSet }

func (n nodes) field(name string) nodes { return nodes{n.ours.field(name), n.controllers.field(name)} }

func (s *scan) fields(want, live map[string]any, n nodes, path string) map[string]any {
	out := map[string]any{}
	for k, v := range want {
		if v == nil {
			continue
		}
		if kept, ok := s.value(v, live[k], n.field(k), join(path, k)); ok {
			out[k] = kept
		}
	}
	return out
}

// value compares one value. ok is false for one that controllers have taken over.
func (s *scan) value(want, live any, n nodes, path string) (kept any, ok bool) {
	w, isMap := want.(map[string]any)
	l, _ := live.(map[string]any)
	items, isList := want.([]any)
	switch {
	case path == "spec.replicas" && s.scaled && !equal(want, live):
		return nil, false
	case isMap && l != nil && len(w) > 0 && !n.ours.leaf():
		return s.fields(w, l, n, path), true
	case isList && (n.ours.keyed() || n.controllers.keyed()):
		have, _ := live.([]any)
		return s.items(items, have, n, path), true
	case (equal(want, live) || live == nil && isZero(want)) && n.ours != nil:
		return want, true
	case n.controllers != nil && n.ours == nil:
		return nil, false
	}
	s.sure = false
	return want, true
}

func (s *scan) items(want, live []any, n nodes, path string) []any {
	out := []any{}
	for _, w := range want {
		at := nodes{n.ours.item(w), n.controllers.item(w)}
		if _, isMap := w.(map[string]any); !isMap {
			s.sure = s.sure && at.ours != nil
			out = append(out, w)
			continue
		}
		if at.ours == nil {
			at.controllers = nil // somebody has taken the item away, or over: it is wanted as a whole
		}
		kept, _ := s.value(w, counterpart(w, live, n), at, path+"[]")
		out = append(out, kept)
	}
	return out
}

// counterpart is the item of another list that has the same key.
func counterpart(item any, list []any, n nodes) any {
	for _, set := range []fieldSet{n.ours, n.controllers} {
		for k := range set {
			if !isItem(k, item) {
				continue
			}
			for _, other := range list {
				if isItem(k, other) {
					return other
				}
			}
		}
	}
	return nil
}

// equal tells whether two values mean the same to the server, as far as that can be seen: a quantity may be written in
// several ways. Fields that only the live value has are the server's.
func equal(want, live any) bool {
	switch w := want.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return len(w) == 0 && live == nil
		}
		for k, v := range w {
			if v != nil && !equal(v, l[k]) {
				return false
			}
		}
		return true
	case []any:
		l, ok := live.([]any)
		if !ok || len(l) != len(w) {
			return len(w) == 0 && live == nil
		}
		for i := range w {
			if !equal(w[i], l[i]) {
				return false
			}
		}
		return true
	}
	if reflect.DeepEqual(want, live) || sameScalar(want, live) {
		return true
	}
	return sameQuantity(want, live)
}

// isZero tells of values that the server may leave out.
func isZero(v any) bool { return v == "" || v == false || v == int64(0) }

func sameQuantity(a, b any) bool {
	text := func(v any) (resource.Quantity, error) {
		s, ok := v.(string)
		if !ok {
			s = strings.TrimSpace(text(v))
		}
		return resource.ParseQuantity(s)
	}
	qa, err := text(a)
	if err != nil {
		return false
	}
	qb, err := text(b)
	return err == nil && qa.Cmp(qb) == 0
}
