package kube

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// expectation is what an object should look like beyond the fields that a release sets.
//
// A server-side apply takes back only what its manager owns. What the server filled in because of a field that is gone,
// and what others own below it, would stay: at best the object is not what it was, at worst it is refused, as a Deployment
// is that goes back to the strategy Recreate while the rollingUpdate stands there which nobody has ever set.
type expectation struct {
	// full is the object with all that the server fills in: as it was recorded, or as it would be if it were new.
	full *unstructured.Unstructured
	// recorded tells that full was really there: then what people and programs added since goes, whoever owns it.
	recorded bool
	// others tells that what others own goes, too, where it stands below something that the release takes back, or twice.
	others bool
	// refused tells that the server does not take the object with what others added: of two items of a name ours stays.
	refused bool
	// claim is what the release sets.
	claim owned
	// told is what was put right that no release has set, for people.
	told []string
}

// settle returns what the object is to be, given what an apply would make of it. owners are those of the object as it is.
func (e *expectation) settle(after *unstructured.Unstructured, owners []owner) *unstructured.Unstructured {
	out := after.DeepCopy()
	for _, part := range slices.Sorted(maps.Keys(merged(after.Object, e.full.Object))) {
		switch part {
		case "apiVersion", "kind", "status":
		case "metadata":
			e.settleMetadata(out, owners)
		default:
			e.member(out.Object, e.full.Object, part, part, e.claim, owners)
		}
	}
	return out
}

// settleMetadata puts labels and annotations right: the rest is the server's and the controllers'.
func (e *expectation) settleMetadata(out *unstructured.Unstructured, owners []owner) {
	have, _ := out.Object["metadata"].(map[string]any)
	full, _ := e.full.Object["metadata"].(map[string]any)
	claim, _ := e.claim.under("f:metadata")
	for _, part := range []string{"annotations", "labels"} {
		e.member(have, full, part, "metadata."+part, claim, under(owners, "f:metadata"))
	}
}

// member settles one field of have, which it removes, changes or adds.
func (e *expectation) member(have, full map[string]any, name, path string, claim owned, owners []owner) {
	if name == templateGeneration {
		return
	}
	h, there := have[name]
	f, expected := full[name]
	sub, wanted := claim.under("f:" + name)
	mine := under(owners, "f:"+name)
	switch {
	case there && !expected && !wanted:
		if e.goes(mine) {
			e.tell("without", path, mine)
			delete(have, name)
		}
	case !there && expected && !wanted:
		if e.recorded {
			e.tell("with", path, nil)
			have[name] = f
		}
	case there:
		if v := e.value(h, f, expected, path, sub, wanted, mine); v == nil {
			delete(have, name)
		} else {
			have[name] = v
		}
	}
}

// goes tells whether a field that neither the release nor what is expected has is to be removed: one that nobody owns, one
// that the release had a part in which is taken back now, and, where it is known what was there, one that somebody added.
func (e *expectation) goes(owners []owner) bool {
	switch {
	case len(owners) == 0:
		return true
	case byController(owners):
		return false
	}
	return e.recorded || e.others && owners[0].ours
}

// value settles a field that is there, and wanted or expected.
func (e *expectation) value(have, full any, expected bool, path string, claim owned, wanted bool, owners []owner) any {
	if wanted && len(claim) == 0 { // the release sets all of it
		return have
	}
	switch h := have.(type) {
	case map[string]any:
		f, ok := full.(map[string]any)
		if !ok {
			if expected {
				break
			}
			f = map[string]any{}
		}
		for _, name := range slices.Sorted(maps.Keys(merged(h, f))) {
			e.member(h, f, name, join(path, name), claim, owners)
		}
		return h
	case []any:
		f, _ := full.([]any)
		if keys := listKeys(append(treesOf(owners), claim)...); keys != nil {
			return e.items(h, f, keys, path, claim, owners)
		}
	}
	if expected && !wanted && e.changes(owners) && !apiequality.Semantic.DeepEqual(have, full) {
		e.tell("with", path, owners)
		return full
	}
	return have
}

// changes tells whether a value that the release does not set is to be as expected: where that was recorded, and where the
// value is of the release that is taken back.
func (e *expectation) changes(owners []owner) bool {
	return e.recorded && !byController(owners) || e.others && len(owners) == 1 && owners[0].ours
}

func treesOf(owners []owner) []owned {
	var out []owned
	for _, o := range owners {
		out = append(out, o.fields)
	}
	return out
}

// items settles a list whose items have keys.
func (e *expectation) items(have, full []any, keys []string, path string, claim owned, owners []owner) any {
	expected := map[string]any{}
	for _, item := range full {
		expected[itemName(item, keys)] = item
	}
	out := make([]any, 0, len(have))
	seen := map[string]bool{}
	for _, item := range have {
		name := itemName(item, keys)
		seen[name] = true
		f, ok := expected[name]
		sub, wanted := claim.under(name)
		mine := under(owners, name)
		at := itemPath(path, item, keys)
		switch {
		case !ok && !wanted && e.goes(mine), !wanted && e.moved(item, have, keys, claim, mine):
			e.tell("without", at, mine)
		case !ok && !wanted:
			out = append(out, item)
		default:
			out = append(out, e.value(item, f, ok, at, sub, wanted, mine))
		}
	}
	for _, item := range full {
		name := itemName(item, keys)
		if _, wanted := claim.under(name); e.recorded && !seen[name] && !wanted {
			e.tell("with", itemPath(path, item, keys), nil)
			out = append(out, item)
		}
	}
	if e.recorded {
		order := map[string]int{}
		for i, item := range full {
			order[itemName(item, keys)] = i
		}
		slices.SortStableFunc(out, func(a, b any) int { return place(order, itemName(a, keys)) - place(order, itemName(b, keys)) })
	}
	return out
}

// place is where an item stood; those that were not there come last.
func place(order map[string]int, name string) int {
	if i, ok := order[name]; ok {
		return i
	}
	return len(order)
}

// moved tells of an item that is one of the release's but for its key: somebody has changed the key by hand, and the apply
// has put the item back under its own, so that it stands there twice.
func (e *expectation) moved(item any, have []any, keys []string, claim owned, owners []owner) bool {
	if !e.others || byController(owners) {
		return false
	}
	rest := withoutKeys(item, keys)
	return len(rest) > 0 && slices.ContainsFunc(have, func(other any) bool {
		if _, wanted := claim.under(itemName(other, keys)); !wanted {
			return false
		}
		ours := withoutKeys(other, keys)
		return apiequality.Semantic.DeepEqual(ours, rest) || e.refused && ours["name"] != nil && ours["name"] == rest["name"]
	})
}

func withoutKeys(item any, keys []string) map[string]any {
	m, _ := item.(map[string]any)
	m = maps.Clone(m)
	for _, k := range keys {
		delete(m, k)
	}
	return m
}

// tell notes what was put right. Values are left out: they may be secret.
func (e *expectation) tell(how, path string, owners []owner) {
	switch {
	case len(owners) > 0 && owners[len(owners)-1].manager != FieldManager:
		path += fmt.Sprintf(" (of %s)", ownersText(owners))
	case how == "without":
		path += " (filled in by the server)"
	}
	e.told = append(e.told, how+" "+path)
}

// noteOfOthers is the note without what nobody but this site and the server had a part in.
func (e *expectation) noteOfOthers() string {
	e.told = slices.DeleteFunc(e.told, func(t string) bool { return !strings.Contains(t, " (of ") })
	return e.note()
}

// note is what was put right, in one sentence.
func (e *expectation) note() string {
	const most = 6
	told := e.told
	if over := len(told) - most; over > 0 {
		told = append(slices.Clone(told[:most]), fmt.Sprintf("%d more", over))
	}
	return strings.Join(told, ", ")
}
